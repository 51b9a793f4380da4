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

#[cfg(test)]
mod bounds;
mod escapes;
mod reference;
mod search;
mod segments;
mod settle;
mod signs;
mod unicode;
mod work;

pub(super) use settle::settle;
pub(super) use work::Work;

/// The longest path that is taken apart, in bytes. A longer one that has more than one reading
/// could be made to cost much, so it counts as every path at once.
const MAX_PATH_BYTES: usize = 4096;

/// The most that is looked at in search of the readings of a request's own path, in bytes: what bounds
/// the time.
pub(super) const MAX_WORK: usize = 1024 * 1024;

/// How much more there is for everything that the request's headers name, beside what is left of that.
pub(super) const MORE_WORK: usize = 256 * 1024;

/// Every reading of one path.
#[derive(Debug)]
pub enum Readings<'p> {
    /// The path itself, as it was sent, and no other.
    Plain(&'p [u8]),
    /// These are all: in lower case, without what [`settle`] takes away.
    Known(Vec<Vec<u8>>),
    /// Too long or too odd to tell.
    Anything,
}

impl<'p> Readings<'p> {
    /// Every reading of a request's `:path`, or of a header's value that names a path.
    #[must_use]
    pub fn of(path: &'p [u8]) -> Readings<'p> {
        Readings::first(path, &mut Work::of(MAX_WORK))
    }

    /// The same with so much work. A path that nothing can be done to takes none, and may be as long as it
    /// likes.
    pub(super) fn first(path: &'p [u8], work: &mut Work) -> Readings<'p> {
        let path = without_query(path);
        if is_plain(path) { Readings::Plain(path) } else { odd(path, work) }
    }

    /// The same for one of several paths, for which there is so much work together. Where that is not
    /// enough, the path counts as every path.
    pub(super) fn within(path: &'p [u8], work: &mut Work) -> Readings<'p> {
        let path = without_query(path);
        match work.look(path.len()) {
            Ok(()) if is_plain(path) => Readings::Plain(path),
            Ok(()) => odd(path, work),
            Err(work::Exhausted) => Readings::Anything,
        }
    }

    /// The same readings of a path that need not live on.
    pub(super) fn into_owned(self) -> Readings<'static> {
        match self {
            Readings::Plain(path) => Readings::Known(vec![path.to_vec()]),
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

fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'?').next().unwrap_or_default()
}

/// The readings of a path that is not plain.
fn odd<'p>(path: &[u8], work: &mut Work) -> Readings<'p> {
    if path.len() > MAX_PATH_BYTES {
        return Readings::Anything;
    }
    search::readings(path, work).map_or(Readings::Anything, Readings::Known)
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
    use super::work::{MAX_READ_BYTES, MAX_READINGS};
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
