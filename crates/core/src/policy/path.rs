//! The allowing side: a path that every upstream reads in the same way.

use unicode_normalization::UnicodeNormalization as _;

/// A path without query whose segments mean the same to everybody: no empty segment but a last
/// one, no dot segment, nothing encoded that could be a separator, a dot or a control character.
#[derive(Debug, Clone, Copy)]
pub struct PlainPath<'a>(&'a str);

/// The path can be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmbiguousPath;

impl<'a> PlainPath<'a> {
    /// Reads the `:path` of a request.
    ///
    /// # Errors
    /// [`AmbiguousPath`] for what two upstreams could read in two ways:
    /// 1. it does not begin with one slash (`*`, an absolute form);
    /// 2. bytes that are not visible ASCII, `#`, a backslash, or a `;` (path parameters);
    /// 3. an empty segment before the last, or a segment `.` or `..`;
    /// 4. `%` without two hex digits;
    /// 5. an encoded slash, backslash, dot, `;`, `?`, `#` or control character;
    /// 6. an encoded `%` before two hex digits: it is decoded twice somewhere;
    /// 7. encoded bytes that are not UTF-8 (overlong encodings of the above among them);
    /// 8. a segment that is a dot segment or two segments to who cleans names or normalises Unicode: dots
    ///    among blanks and `<>:*|"`, a character whose compatibility form holds a slash or backslash.
    pub fn parse(path: &'a [u8]) -> Result<PlainPath<'a>, AmbiguousPath> {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let text = std::str::from_utf8(path).map_err(|_| AmbiguousPath)?;
        let segments = text.strip_prefix('/').ok_or(AmbiguousPath)?;
        if text.bytes().any(|byte| !byte.is_ascii_graphic() || b"#\\;".contains(&byte)) {
            return Err(AmbiguousPath);
        }
        let mut rest = segments.split('/').peekable();
        while let Some(segment) = rest.next() {
            let last = rest.peek().is_none();
            if (segment.is_empty() && !last) || segment == "." || segment == ".." {
                return Err(AmbiguousPath);
            }
            let is_plain = match segment.contains('%') {
                true => is_plainly_encoded(segment),
                false => !is_cleaned_to_dots(segment),
            };
            if !is_plain {
                return Err(AmbiguousPath);
            }
        }
        Ok(PlainPath(text))
    }

    /// The path itself, without query.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// The segments; the last one is empty when the path ends with a slash.
    pub fn segments(&self) -> std::str::Split<'a, char> {
        self.0.strip_prefix('/').unwrap_or(self.0).split('/')
    }
}

/// Rules 4 to 7.
fn is_plainly_encoded(segment: &str) -> bool {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (hex(bytes.next()), hex(bytes.next())) else { return false };
        let byte = high.wrapping_mul(16).wrapping_add(low);
        if byte < 0x20 || byte == 0x7f || b"/\\.;?#".contains(&byte) {
            return false;
        }
        if byte == b'%' {
            let mut ahead = bytes.clone();
            if hex(ahead.next()).is_some() && hex(ahead.next()).is_some() {
                return false;
            }
        }
        decoded.push(byte);
    }
    std::str::from_utf8(&decoded)
        .is_ok_and(|decoded| !is_cleaned_to_dots(decoded) && !splits_by_form(decoded))
}

/// Rule 8: what an application that cleans names takes for `.` or `..`.
fn is_cleaned_to_dots(segment: &str) -> bool {
    if !segment.bytes().all(|byte| b". <>:*|\"".contains(&byte)) {
        return false;
    }
    let dots = segment.bytes().filter(|byte| *byte == b'.').count();
    (1..=2).contains(&dots)
}

/// Rule 8: what is two segments in its compatibility form, or a dot segment.
fn splits_by_form(segment: &str) -> bool {
    if segment.is_ascii() {
        return false;
    }
    let form: String = segment.nfkc().collect();
    form.contains(['/', '\\']) || is_cleaned_to_dots(&form)
}

/// The value of a hex digit.
pub(super) fn hex(digit: Option<u8>) -> Option<u8> {
    breakglass_types::hex::digit(digit?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn takes_a_path_with_one_reading() {
        for path in [
            "/",
            "/v1/orders",
            "/v1/orders/",
            "/v1/orders?q=/../x;%2f",
            "/a%20b",
            "/100%25",
            "/%C3%A9",
            "/a.b/..c/...",
            "/~x!$&'()*+,=:@-_",
            "/%25x",
            "/a*b/x:y/%20/*",
            "/..../a%20./%E2%80%A6",
        ] {
            assert!(PlainPath::parse(path.as_bytes()).is_ok(), "{path}");
        }
        let path = PlainPath::parse(b"/v1/orders/?x").unwrap();
        assert_eq!(path.as_str(), "/v1/orders/");
        assert_eq!(path.segments().collect::<Vec<_>>(), ["v1", "orders", ""]);
    }

    #[test]
    fn refuses_a_path_with_two_readings() {
        for path in [
            "",
            "*",
            "v1",
            "http://x/v1",
            "//",
            "//v1",
            "/v1//orders",
            "/v1/./x",
            "/v1/../x",
            "/..",
            "/.",
            "/v1/%2e/x",
            "/v1/%2E%2e/x",
            "/v1/.%2e/x",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a;b",
            "/a;v=1/b",
            "/a%3bb",
            "/a%3fb",
            "/a%23b",
            "/v1/..%3f",
            "/a%00",
            "/a\0",
            "/a%0a",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%u002f",
            "/a%252fb",
            "/a%252e",
            "/%c0%af",
            "/%c0%ae",
            "/%ff",
            "/a#b",
            "/a b",
            "/a\tb",
            "/\u{e9}",
            "/%e0%80%af",
            "/a/..%20/b",
            "/a/.*./b",
            "/a/%20./b",
            "/a/.:",
            "/a/..%ef%bc%8fb",
            "/a%ef%bc%bcb",
            "/a/%e2%80%a5/b",
            "/%e2%84%80",
        ] {
            assert!(PlainPath::parse(path.as_bytes()).is_err(), "{path}");
        }
        assert!(PlainPath::parse(b"/\xff").is_err());
    }
}
