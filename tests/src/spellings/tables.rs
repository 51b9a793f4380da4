//! What is put in front of a path, between and behind its segments, and behind it.

/// Kinds, each with its changes.
pub(super) type Table = &'static [(&'static str, &'static [&'static str])];

/// In front of the path.
pub(super) const FRONT: Table = &[
    // A reference with an authority, or an absolute form: who resolves it drops what is before the path.
    (
        "front: authority",
        &[
            "//h", "//h:80", "//u:p@h", "///h", "/\\h", "/\\\\h", "//h\\", "/%2fh", "/%5ch",
            "//h:x@h",
        ],
    ),
    (
        "front: absolute form",
        &[
            "http://h",
            "http://h:80",
            "HTTP://H",
            "https://h",
            "http://u@h",
            "http://h/.",
            "http://h//h",
        ],
    ),
    ("front: scheme", &["/http:", "/http:/", "/http://h", "/http:%2f%2fh", "/file://"]),
    // Dot segments, of which some servers know one form or another.
    ("front: dot segments", &["/.", "/..", "/../..", "/x/..", "/x/y/../..", "/./.", "/.//."]),
    (
        "front: encoded dot segments",
        &[
            "/%2e",
            "/%2E%2E",
            "/x/%2e%2e",
            "/x/.%2e",
            "/x/%2e.",
            "/x/%252e%252e",
            "/x/%u002e%u002e",
            "/x/%c0%ae%c0%ae",
        ],
    ),
    (
        "front: dot segment, encoded slash",
        &["/x/..%2f", "/x%2f..", "/x%2f%2e%2e", "/x/..%5c", "/x%5c..", "/x\\.."],
    ),
    (
        "front: dot segment with parameter",
        &["/..;", "/.;x=y", "/x/..;", "/x/..;x=y", "/x/..%3b", "/;", "/;x=y"],
    ),
    (
        "front: dot segment with blank",
        &["/x/..%20", "/x/..%00", "/.%20", "/.%09", "/x/%09..", "/x/.%00."],
    ),
    ("front: slashes", &["/", "//", "///", "/%2f", "/\\"]),
    ("front: nothing to see", &["/%20", "/%00", "/%ef%bb%bf", "/%e2%80%8b", "/%0a"]),
    ("front: fragment", &["/#", "/x#/..", "/%23/..", "/x%23/.."]),
    ("front: query", &["/?", "/x?/..", "/%3f/..", "/x%3f/.."]),
];

/// In place of a slash.
pub(super) const SEPARATOR: Table = &[
    ("separator: slashes", &["//", "///", "////", "/\\", "\\/"]),
    ("separator: backslash", &["\\", "%5c", "%5C", "%255c", "%u005c", "%c1%9c"]),
    ("separator: encoded slash", &["%2f", "%2F", "/%2f", "%2f/", "%2f%2f"]),
    (
        "separator: slash encoded twice",
        &["%252f", "%252F", "%25252f", "%%32%66", "%2%66", "%25%32%46"],
    ),
    ("separator: overlong slash", &["%c0%af", "%c0%2f", "%e0%80%af", "%f0%80%80%af", "%c0%9v"]),
    (
        "separator: unicode slash",
        &[
            "%u002f",
            "%U002F",
            "%u2215",
            "%uff0f",
            "%ef%bc%8f",
            "%e2%88%95",
            "%e2%81%84",
            "%ef%bc%bc",
        ],
    ),
    ("separator: dot segments", &["/./", "/x/../", "/././", "/.//", "/x/y/../../"]),
    (
        "separator: encoded dot segments",
        &[
            "/%2e/",
            "/x/%2e%2e/",
            "/x/.%2E/",
            "/%252e/",
            "/x/%252e%252e/",
            "/%c0%ae/",
            "/%u002e/",
            "/%ef%bc%8e/",
        ],
    ),
    (
        "separator: dot segment, encoded slash",
        &["%2f.%2f", "/.%2f", "%2f./", "/x%2f../", "/x/..%2f", "/x%5c..%5c", "\\.\\", "/x\\..\\"],
    ),
    (
        "separator: dot segment with parameter",
        &["/;/", "/;x=y/", "/.;/", "/x/..;/", "/x/..;x=y/", "/.%3b/"],
    ),
    ("separator: blank segment", &["/%20/", "/%00/", "/.%20/", "/%09/", "/.%00/", "/x/..%20/"]),
];

/// Behind a segment.
pub(super) const BEHIND: Table = &[
    ("segment: parameter", &[";", ";x=y", ";x", ";x=y;z=%2f", ";.css", ";jsessionid=1"]),
    ("segment: encoded parameter", &["%3b", "%3Bx=y", "%253bx", "%c0%bbx"]),
    ("segment: dots", &[".", "..", "...", "%2e", "%2E%2e", "%252e"]),
    (
        "segment: blanks",
        &["%20", "+", "%20%20", ".%20", "%20.", "%09", "%a0", "%c2%a0", "%e3%80%80", "%2520"],
    ),
    ("segment: line ends", &["%0a", "%0d", "%0d%0a", "%0A.", "%0b", "%85", "%e2%80%a8"]),
    ("segment: cut", &["%00", "%00x", "%2500", "%00.html", "%c0%80"]),
    // What NTFS forbids, and what a cleaner of names drops.
    (
        "segment: forbidden in names",
        &["%3c", "%3E", "%3a", "%2a", "%2A", "%7c", "%22", "%3f", "<", ">", ":", "*", "|", "\""],
    ),
    (
        "segment: streams",
        &["::$DATA", "%3a%3a$DATA", ":$i30:$INDEX_ALLOCATION", "::$INDEX_ALLOCATION"],
    ),
    ("segment: controls", &["%01", "%1f", "%7f", "%c2%80", "%c2%9f", "%08"]),
    (
        "segment: nothing to see",
        &["%e2%80%8b", "%e2%80%8d", "%ef%bb%bf", "%c2%ad", "%ef%b8%8f", "%cd%8f"],
    ),
    ("segment: not decodable", &["%", "%2", "%zz", "%ff", "%c0", "%u00"]),
];

/// Behind the path.
pub(super) const TAIL: Table = &[
    ("tail: slashes", &["/", "//", "///", "%2f", "\\", "%5c", "%c0%af", "%252f"]),
    ("tail: dot segments", &["/.", "/./", "/x/..", "/x/../", "/.//", "/x/./.."]),
    (
        "tail: encoded dot segments",
        &["/%2e", "/%2e/", "/x/%2e%2e", "/x/.%2E/", "/%252e", "%2f.", "%2fx%2f.."],
    ),
    ("tail: segment with parameter", &["/;", "/;x=y", "/.;", "/x/..;/", "/x/..;"]),
    (
        "tail: extension",
        &[
            ".json", ".html", ".git", ".xml", ".php", ".txt", ".css", ".do", ".JSON", ".json/",
            "%2ejson", ".%6ason", ";.json",
        ],
    ),
    ("tail: index", &["/index.html", "/index.php", "/index.json", "/default.aspx"]),
    ("tail: beyond", &["/x", "/x.css", "/*", "/%20", "/%00", "/%0a", "/~", "~"]),
    ("tail: query", &["?", "??", "?x", "?x=y", "?/", "?/../x", "?;", "?%2f", "&x=y", "%26x"]),
    ("tail: encoded query", &["%3f", "%3F", "%3fx=y", "%253f", "%253fx", "%c0%bf", "%u003f"]),
    ("tail: fragment", &["#", "#x", "#/../x", "?#", "#?x"]),
    ("tail: encoded fragment", &["%23", "%23x", "%2523", "%u0023"]),
];
