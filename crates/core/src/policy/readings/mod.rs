//! The refusing side: every way in which an upstream might read a path.
//!
//! Readings are found by *source*: each thing that some server, framework, library or file system does
//! to a path before it decides what is meant is a change of its own. Any of them may or may not happen,
//! in any order, so the readings of a path are everything that changes lead to from what was sent
//! ([`CHANGES`]); a path that nothing can be done to, which is nearly every path, has exactly one.
//!
//! | source | change | who |
//! |---|---|---|
//! | escapes | each class by itself: `%2f`, `%5c`, `%2e`, `%3b`, `%3a`, `%3f`, `%23`, `%25` (what is decoded twice), `%uXXXX` | routers that decode all but separators (Fastify, Hono, Tomcat, Go's `RawPath`); Envoy and nginx; IIS |
//! | inert escapes | decoded at once ([`settle`]): letters, digits, what no server splits at | everybody, sooner or later |
//! | case | folded at once, Unicode's too | Windows, macOS, ASP.NET, Express |
//! | Unicode | NFKC at once, unless it makes a separator; then a change, with best-fit twins of `/` and `\` | Python's IDNA and NFKC, macOS (NFD), Windows code pages |
//! | encodings | overlong UTF-8; bytes that are no UTF-8 left out, or read as Latin-1 | old C and Java decoders; Python and PHP with errors ignored; Tomcat's and IIS's defaults of old |
//! | dot segments | resolved (RFC 3986 section 5.2.4), before or after any decoding | nearly everybody |
//! | slashes | merged; leading ones merged only | nginx, Envoy; Werkzeug, Express |
//! | backslash | a slash | IIS, WHATWG URL |
//! | `;` | ends a segment | Java (RFC 3986 section 3.3) |
//! | ends | `?`, `#` that appear by decoding; a NUL, any control character | C strings, line protocols, `$` in patterns |
//! | references | scheme, user, host and port dropped, as WHATWG, RFC 3986, Python, Go and Java find them; absolute form | `new URL(request.url, base)`, `urljoin`, `java.net.URL` |
//! | cleaned segments | blanks around, dots at the end; `<>*|"?` and control characters; `:`; escaped separators; NTFS streams | Windows and IIS, npm's `sanitize-filename`, Python's `secure_filename` |
//! | sessions | `/(S(..))` | ASP.NET |
//! | extension | of the last segment, where the rule's last name is literal: at the comparison ([`is_name`]) | Rails, Spring, content negotiation |
//! | `+` | a blank, at the comparison | form decoding, S3 |
//!
//! What an application takes for another name of a resource is no spelling, and is not known here.

mod escapes;
mod reference;
mod segments;
mod settle;
mod unicode;

use std::collections::BTreeSet;

pub(super) use settle::settle;

/// The longest path that is taken apart, in bytes. A longer one that has more than one reading
/// could be made to cost much, so it counts as every path at once.
const MAX_PATH_BYTES: usize = 4096;

/// The most readings of one path; one that has more counts as every path.
const MAX_READINGS: usize = 256;

/// The most text that all readings of one path may hold together, in bytes, for the same reason.
const MAX_READ_BYTES: usize = 128 * 1024;

/// The most text that changes may make in search of them, in bytes: what bounds the time.
const MAX_MADE_BYTES: usize = 512 * 1024;

/// Something that is done to a path; `None` where there is nothing to do.
type Change = fn(&[u8]) -> Option<Vec<u8>>;

/// Bytes beyond ASCII, where a change needs one of them.
const BEYOND: &[u8] = b"\x80";

/// Control characters, in the same way.
const CONTROLS: &[u8] = b"\0";

/// What an upstream, or somebody in front of it, might do to a path: any of it, in any order. Each needs
/// one of a few bytes, or does nothing. (A [reference](reference) is one more: it has several paths.)
const CHANGES: [(&[u8], Change); 33] = [
    (b"%", escapes::slashes),
    (b"%", escapes::backslashes),
    (b"%", escapes::dots),
    (b"%", escapes::semicolons),
    (b"%", escapes::colons),
    (b"%", escapes::question_marks),
    (b"%", escapes::number_signs),
    (b"%", escapes::percents),
    (b"%", escapes::inert),
    (b"%", escapes::beyond),
    (b"%", escapes::units),
    (BEYOND, unicode::structural),
    (BEYOND, unicode::overlongs),
    (BEYOND, unicode::without_invalid),
    (BEYOND, unicode::latin_1),
    (b"?", segments::until_query),
    (b"#", segments::until_fragment),
    (CONTROLS, segments::until_nul),
    (CONTROLS, segments::until_control),
    (b"\\", segments::backslashes),
    (b";", segments::without_parameters),
    (b"/", segments::without_empty),
    (b"/", segments::without_leading),
    (b".", segments::without_dots),
    (b" ", segments::without_blanks),
    (b".", segments::without_trailing_dots),
    (b"$", segments::without_streams),
    (b"<>*|\"?\0\x80", segments::without_unsafe),
    (b":", segments::without_unsafe_and_colons),
    (b"%\\", segments::without_inner_separators),
    (b" .<>*|\"?:\0", segments::without_nothing),
    (b" .", segments::without_dots_alone),
    (b"(", segments::without_session),
];

/// Which bytes a text has: all [controls](CONTROLS) are one, and so are those [beyond ASCII](BEYOND).
fn bytes_of(text: &[u8]) -> [bool; 129] {
    let mut has = [false; 129];
    for byte in text {
        let byte = match byte {
            byte if byte.is_ascii_control() => 0,
            byte => usize::from(*byte).min(128),
        };
        if let Some(has) = has.get_mut(byte) {
            *has = true;
        }
    }
    has
}

/// Every reading of one path.
#[derive(Debug)]
pub enum Readings<'p> {
    /// The path itself, as it was sent, and no other.
    Plain(&'p [u8]),
    /// These are all: in lower case, without what [`settle`] takes away.
    Known(BTreeSet<Vec<u8>>),
    /// Too long or too odd to tell.
    Anything,
}

impl<'p> Readings<'p> {
    /// Every reading of a request's `:path`, or of a header's value that names a path.
    #[must_use]
    pub fn of(path: &'p [u8]) -> Readings<'p> {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        if is_plain(path) {
            return Readings::Plain(path);
        }
        if path.len() > MAX_PATH_BYTES {
            return Readings::Anything;
        }
        let mut unread = vec![normal(path.to_vec())];
        let (mut texts, mut bytes, mut made) = (BTreeSet::new(), 0_usize, 0_usize);
        while let Some(text) = unread.pop() {
            if texts.contains(&text) {
                continue;
            }
            bytes = bytes.saturating_add(text.len());
            if bytes > MAX_READ_BYTES || made > MAX_MADE_BYTES || texts.len() >= MAX_READINGS {
                return Readings::Anything;
            }
            let has = bytes_of(&text);
            let needed = |byte: &u8| has.get(usize::from(*byte)).is_some_and(|has| *has);
            let changes = CHANGES.iter().filter(|(needs, _)| needs.iter().any(needed));
            let changed = changes.filter_map(|(_, change)| change(&text));
            for next in changed.chain(reference::paths(&text)) {
                if !texts.contains(&next) {
                    made = made.saturating_add(next.len());
                    unread.push(normal(next));
                }
            }
            texts.insert(text);
        }
        Readings::Known(texts)
    }

    /// The same for one of several paths, whose lengths come off what all of them may have together
    /// unless they are plain. Where that is not enough, the path counts as every path.
    pub(super) fn within(path: &'p [u8], left: &mut usize) -> Readings<'p> {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        if is_plain(path) {
            return Readings::Plain(path);
        }
        match left.checked_sub(path.len()) {
            Some(rest) => {
                *left = rest;
                Readings::of(path)
            }
            None => Readings::Anything,
        }
    }

    /// The same readings of a path that need not live on.
    pub(super) fn into_owned(self) -> Readings<'static> {
        match self {
            Readings::Plain(path) => Readings::Known(BTreeSet::from([path.to_vec()])),
            Readings::Known(readings) => Readings::Known(readings),
            Readings::Anything => Readings::Anything,
        }
    }

    /// Whether there are too many to tell, so that the path counts as every path.
    #[must_use]
    pub fn is_anything(&self) -> bool {
        matches!(self, Readings::Anything)
    }

    /// The readings, each without the first slash and those at the end; `None` if they are too many to tell.
    pub(super) fn texts(&self) -> Option<Vec<&[u8]>> {
        match self {
            Readings::Plain(path) => Some(vec![trimmed(path)]),
            Readings::Known(readings) => Some(readings.iter().map(|text| trimmed(text)).collect()),
            Readings::Anything => None,
        }
    }

    /// Whether any reading has segments that `covers` takes: the slash at the beginning and those at the
    /// end are none.
    pub(super) fn any(&self, covers: impl Fn(&[u8]) -> bool) -> bool {
        match self {
            Readings::Plain(path) => covers(trimmed(path)),
            Readings::Known(readings) => readings.iter().any(|reading| covers(trimmed(reading))),
            Readings::Anything => true,
        }
    }
}

/// Whether a segment is called `name`, which is [settled](settle). `last`: an extension may follow.
pub(super) fn is_name(segment: &[u8], name: &[u8], last: bool) -> bool {
    let mut wanted = name.iter();
    let mut given = segment.iter();
    // Of a plain path nothing was cleaned, and a colon is all that is there to clean.
    let rest = loop {
        let rest = given.as_slice();
        let Some(wanted) = wanted.next() else { break rest };
        let is_wanted =
            |byte: &u8| byte.to_ascii_lowercase() == *wanted || (*byte == b'+' && *wanted == b' ');
        match given.find(|byte| **byte != b':' || *wanted == b':') {
            Some(byte) if is_wanted(byte) => {}
            _ => return false,
        }
    };
    let blank = |byte: &u8| b" +:".contains(byte);
    match rest.iter().find(|byte| !blank(byte)) {
        None => rest.iter().all(|byte| *byte == b':'),
        Some(byte) => last && *byte == b'.',
    }
}

/// Whether nothing in `path` can be read in a second way, but for what [`is_name`] knows.
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0_u8;
    for byte in path {
        let plain = match byte {
            b'/' => before != b'/' && before != b'.' && before != b':',
            b'.' | b':' => before != b'/' && before != b':' && before != b'.',
            b'(' => before != b'/',
            b'$' => before != b':',
            byte => byte.is_ascii_graphic() && !b"%\\;#<>*|\"".contains(byte),
        };
        if !plain || (before == 0 && *byte != b'/') {
            return false;
        }
        before = *byte;
    }
    before != 0 && before != b'.' && before != b':'
}

/// A text as one that counts as a reading: settled, and without slashes at its end.
fn normal(text: Vec<u8>) -> Vec<u8> {
    let mut text = settle(text);
    while text.len() > 1 && text.last() == Some(&b'/') {
        text.pop();
    }
    text
}

/// Without the first slash and without slashes at the end.
fn trimmed(path: &[u8]) -> &[u8] {
    let mut path = path.strip_prefix(b"/").unwrap_or(path);
    while let Some(shorter) = path.strip_suffix(b"/") {
        path = shorter;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn reads(path: &str, wanted: &str) -> bool {
        Readings::of(path.as_bytes()).any(|reading| reading.eq_ignore_ascii_case(wanted.as_bytes()))
    }

    #[test]
    fn a_plain_path_has_one_reading() {
        for path in ["/admin/x", "/ADMIN/x", "/admin/x/", "/admin/x?y=/../z", "/v1/x.json:y+z/"] {
            let readings = Readings::of(path.as_bytes());
            assert!(matches!(readings, Readings::Plain(_)), "{path}: {readings:?}");
        }
        for path in
            ["", "admin", "/a//b", "/a/.b", "/a./b", "/a.", "/:a", "/a%20b", "/a;b", "/(S(x))"]
        {
            assert!(!matches!(Readings::of(path.as_bytes()), Readings::Plain(_)), "{path}");
        }
    }

    #[test]
    fn finds_the_reading_behind_every_spelling() {
        for path in [
            "/admin/x",
            "//admin/x",
            "/admin//x",
            "/./admin/x",
            "/pub/../admin/x",
            "/admin;a=b/x;c",
            "/%61dmin/x",
            "/%2561dmin/x",
            "/%252561dmin/x",
            "/admin%2fx",
            "/admin%5cx",
            "/admin\\x",
            "/pub/%2e%2e/admin/x",
            "/pub/..%2fadmin/x",
            "/pub/..;/admin/x",
            "/admin/x%00.js",
            "/admin/x%23y",
            "/admin/x#y",
            "/%c0%af/admin/x",
            "/pub/%c0%ae%c0%ae/admin/x",
            "/%u0061dmin/x",
            "/pub%u002f..%uff0fadmin/x",
            "/%e0%81%a1dmin/x",
            "http://host/admin/x",
            "/pub/%252e%252e/admin/x",
            "/pub\\..\\admin\\x",
            "/AD%4DIN/X",
            "/admin/x%3fy",
            "/pub/..%255cadmin/x",
            "\\admin/x",
            // Parameters or dot segments are taken away before the path is decoded.
            "/%61dmin;a=%2fb/x",
            "/pub;%2fa/../%61dmin/x",
            "/pub%2fa/../%61dmin/x",
            "/%61dmin;a=%23/x",
        ] {
            assert!(reads(path, "admin/x"), "{path}");
        }
    }

    #[test]
    fn does_not_find_what_is_not_there() {
        for path in ["/pub/x", "/administrator/x", "/pub/admin/x", "/x%2fadmin", "/admi%6e2/x"] {
            assert!(!reads(path, "admin/x"), "{path}");
        }
    }

    #[test]
    fn a_long_odd_path_is_anything_and_a_long_plain_one_is_not() {
        let long = "/a".repeat(MAX_PATH_BYTES);
        assert!(matches!(Readings::of(long.as_bytes()), Readings::Plain(_)));
        let odd = format!("{long}%20");
        assert!(matches!(Readings::of(odd.as_bytes()), Readings::Anything));
    }

    #[test]
    fn what_all_readings_hold_is_bounded() {
        for times in [1, 10, 100, 1000] {
            let odd = "/%25%32%66;a\\..//.%c0%ae".repeat(times);
            if let Readings::Known(readings) = Readings::of(odd.as_bytes()) {
                let bytes: usize = readings.iter().map(Vec::len).sum();
                assert!(bytes <= MAX_READ_BYTES, "{times}: {bytes}");
                assert!(readings.len() <= MAX_READINGS, "{times}: {}", readings.len());
            }
        }
    }
}
