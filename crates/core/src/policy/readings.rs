//! The refusing side: every way in which an upstream might read a path.
//!
//! Servers differ in whether they decode (once, twice, overlong UTF-8, `%u`), take a backslash for a
//! slash, drop `;` parameters, merge slashes, resolve dot segments, or stop at a NUL or `#`. Each of
//! these may or may not happen, so each multiplies the readings; a path without any of them, which
//! is nearly every path, has exactly one.

use std::collections::BTreeSet;

use super::path::hex;

/// The longest path that is taken apart, in bytes. A longer one that has more than one reading
/// could be made to cost much, so it counts as every path at once.
const MAX_PATH_BYTES: usize = 4096;

/// The most text that all readings of one path may hold together, in bytes, for the same reason.
const MAX_READ_BYTES: usize = 32 * 1024;

/// Something that is done to a path. It makes no path longer.
type Change = fn(&[u8]) -> Vec<u8>;

/// What an upstream, or somebody in front of it, might do to a path: any of it, in any order.
const CHANGES: [Change; 7] = [
    |text| decode(text).to_ascii_lowercase(),
    |text| until(text, b"\0"),
    |text| until(text, b"?#"),
    |text| replace(text, b'\\', b'/'),
    without_parameters,
    without_empty,
    without_dots,
];

/// Every reading of one path, each in lower case and without slashes at its ends.
#[derive(Debug)]
pub enum Readings {
    /// These are all.
    Known(BTreeSet<Vec<u8>>),
    /// Too long and too odd to tell.
    Anything,
}

impl Readings {
    /// Every reading of a request's `:path`.
    #[must_use]
    pub fn of(path: &[u8]) -> Readings {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        if is_plain(path) {
            return Readings::Known(BTreeSet::from([trimmed(&path.to_ascii_lowercase())]));
        }
        if path.len() > MAX_PATH_BYTES {
            return Readings::Anything;
        }
        let path = path.to_ascii_lowercase();
        let mut unread = vec![without_origin(&path), path];
        let (mut texts, mut bytes) = (BTreeSet::new(), 0_usize);
        while let Some(text) = unread.pop() {
            if texts.contains(&text) {
                continue;
            }
            bytes = bytes.saturating_add(text.len());
            if bytes > MAX_READ_BYTES {
                return Readings::Anything;
            }
            unread.extend(CHANGES.iter().map(|change| change(&text)));
            texts.insert(text);
        }
        Readings::Known(texts.iter().map(|text| trimmed(text)).collect())
    }
}

/// Whether nothing in `path` can be read in a second way.
fn is_plain(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
        && !path.iter().any(|byte| !byte.is_ascii_graphic() || b"%\\;#".contains(byte))
        && !path.windows(2).any(|pair| pair == b"//" || pair == b"/.")
}

/// Without the first slash and without slashes at the end.
fn trimmed(path: &[u8]) -> Vec<u8> {
    let mut path = path.strip_prefix(b"/").unwrap_or(path);
    while let Some(shorter) = path.strip_suffix(b"/") {
        path = shorter;
    }
    path.to_vec()
}

/// The path of an absolute form, `http://host/path`.
fn without_origin(text: &[u8]) -> Vec<u8> {
    let Some(scheme) = text.windows(3).position(|window| window == b"://") else {
        return text.to_vec();
    };
    let after = text.get(scheme.saturating_add(3)..).unwrap_or_default();
    let slash = after.iter().position(|byte| *byte == b'/').unwrap_or(after.len());
    after.get(slash..).unwrap_or_default().to_vec()
}

/// Decodes `%xx` and `%uxxxx` once, and overlong UTF-8 into the ASCII that it stands for.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digits = |skip: usize, count: usize| {
            let digits = after.get(skip..skip.saturating_add(count))?;
            let value = digits.iter().try_fold(0_u32, |value, digit| {
                Some(value.wrapping_mul(16).wrapping_add(u32::from(hex(Some(*digit))?)))
            })?;
            Some((value, skip.saturating_add(count)))
        };
        let escape = match (byte, after.first()) {
            (b'%', Some(b'u')) => digits(1, 4),
            (b'%', _) => digits(0, 2),
            _ => None,
        };
        match escape {
            Some((value, length)) => {
                // Beyond one byte only ASCII's full-width twins matter: U+FF01 to U+FF5E.
                let value = if (0xff01..=0xff5e).contains(&value) {
                    value.wrapping_sub(0xfee0)
                } else {
                    value
                };
                decoded.push(u8::try_from(value).unwrap_or(b'?'));
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    without_overlong(&decoded)
}

/// Replaces overlong UTF-8 of two or three bytes by the ASCII that it stands for.
fn without_overlong(text: &[u8]) -> Vec<u8> {
    let continues = |byte: &u8| byte & 0xc0 == 0x80;
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [lead @ (0xc0 | 0xc1), low, after @ ..] if continues(low) => {
                plain.push(((lead & 0x01) << 6) | (low & 0x3f));
                after
            }
            [0xe0, high @ (0x80 | 0x81), low, after @ ..] if continues(low) => {
                plain.push(((high & 0x01) << 6) | (low & 0x3f));
                after
            }
            [byte, after @ ..] => {
                plain.push(*byte);
                after
            }
            [] => return plain,
        };
    }
}

fn until(text: &[u8], ends: &[u8]) -> Vec<u8> {
    text.split(|byte| ends.contains(byte)).next().unwrap_or_default().to_vec()
}

fn replace(text: &[u8], from: u8, to: u8) -> Vec<u8> {
    text.iter().map(|byte| if *byte == from { to } else { *byte }).collect()
}

fn without_parameters(text: &[u8]) -> Vec<u8> {
    let segments = text.split(|byte| *byte == b'/');
    let plain = segments.map(|segment| until(segment, b";"));
    plain.collect::<Vec<_>>().join(&b'/')
}

fn without_empty(text: &[u8]) -> Vec<u8> {
    let segments = text.split(|byte| *byte == b'/');
    segments.filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join(&b'/')
}

fn without_dots(text: &[u8]) -> Vec<u8> {
    let mut resolved = Vec::new();
    for segment in text.split(|byte| *byte == b'/') {
        match segment {
            b"." => {}
            b".." => {
                resolved.pop();
            }
            _ => resolved.push(segment),
        }
    }
    resolved.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn reads(path: &str, wanted: &str) -> bool {
        match Readings::of(path.as_bytes()) {
            Readings::Known(readings) => readings.contains(wanted.as_bytes()),
            Readings::Anything => true,
        }
    }

    #[test]
    fn a_plain_path_has_one_reading() {
        for path in ["/admin/x", "/ADMIN/x", "/admin/x/", "/admin/x?y=/../z"] {
            let Readings::Known(readings) = Readings::of(path.as_bytes()) else { panic!("{path}") };
            assert_eq!(readings.len(), 1, "{path}");
            assert!(reads(path, "admin/x"), "{path}");
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
        assert!(matches!(Readings::of(long.as_bytes()), Readings::Known(_)));
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
            }
        }
    }
}
