//! What a text has that some change needs: found in one look at it, so that of more than thirty changes only
//! those are tried that may do something.

use super::escapes::{self, Escape};

/// A set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs(u32);

/// Control characters of ASCII.
pub(super) const CONTROL: Signs = Signs(1);
pub(super) const NUL: Signs = Signs(1 << 1);
/// Bytes beyond ASCII.
pub(super) const BEYOND: Signs = Signs(1 << 2);
/// The first byte of a control character of Latin-1, in UTF-8.
pub(super) const LATIN_CONTROL: Signs = Signs(1 << 3);
pub(super) const QUESTION_MARK: Signs = Signs(1 << 4);
pub(super) const NUMBER_SIGN: Signs = Signs(1 << 5);
pub(super) const BACKSLASH: Signs = Signs(1 << 6);
pub(super) const SEMICOLON: Signs = Signs(1 << 7);
pub(super) const COLON: Signs = Signs(1 << 8);
/// `<>*|"`.
pub(super) const UNSAFE: Signs = Signs(1 << 9);
/// A slash at the beginning or after another one.
pub(super) const EMPTY: Signs = Signs(1 << 10);
/// A segment that begins with a dot.
pub(super) const FIRST_DOT: Signs = Signs(1 << 11);
/// A segment that ends with a dot.
pub(super) const LAST_DOT: Signs = Signs(1 << 12);
/// A blank at either end of a segment.
pub(super) const OUTER_BLANK: Signs = Signs(1 << 13);
/// A segment that begins with what cleaning takes away.
pub(super) const FIRST_UNSAFE: Signs = Signs(1 << 14);
/// `:$`.
pub(super) const STREAM: Signs = Signs(1 << 15);
/// A segment that begins with a parenthesis.
pub(super) const FIRST_PARENTHESIS: Signs = Signs(1 << 16);
/// Escapes: of a slash, and so on.
pub(super) const ESCAPED_SLASH: Signs = Signs(1 << 17);
pub(super) const ESCAPED_BACKSLASH: Signs = Signs(1 << 18);
pub(super) const ESCAPED_DOT: Signs = Signs(1 << 19);
pub(super) const ESCAPED_SEMICOLON: Signs = Signs(1 << 20);
pub(super) const ESCAPED_COLON: Signs = Signs(1 << 21);
pub(super) const ESCAPED_QUESTION_MARK: Signs = Signs(1 << 22);
pub(super) const ESCAPED_NUMBER_SIGN: Signs = Signs(1 << 23);
pub(super) const ESCAPED_PERCENT: Signs = Signs(1 << 24);
pub(super) const ESCAPED_INERT: Signs = Signs(1 << 25);
pub(super) const ESCAPED_BEYOND: Signs = Signs(1 << 26);
pub(super) const ESCAPED_UNIT: Signs = Signs(1 << 27);
/// Bytes that are no UTF-8.
pub(super) const INVALID: Signs = Signs(1 << 28);

impl Signs {
    pub(super) const fn or(self, other: Signs) -> Signs {
        Signs(self.0 | other.0)
    }

    /// Whether it has one of these.
    pub(super) fn has(self, wanted: Signs) -> bool {
        self.0 & wanted.0 != 0
    }

    /// Those of a text.
    pub(super) fn of(text: &[u8]) -> Signs {
        let mut signs = 0;
        // A path's first slash is no segment, and its first segment may be without one.
        let mut before = if text.first() == Some(&b'/') { 0 } else { b'/' };
        for (at, byte) in text.iter().enumerate() {
            if before == b'/' {
                signs |= first(*byte);
            }
            match byte {
                b'a'..=b'z' | b'0'..=b'9' => {}
                b'/' => signs |= last(before),
                b'%' => signs |= escaped(text.get(at..).unwrap_or_default()).0,
                b'$' if before == b':' => signs |= STREAM.0,
                byte => signs |= anywhere(*byte),
            }
            before = *byte;
        }
        if signs & BEYOND.0 != 0 && std::str::from_utf8(text).is_err() {
            signs |= INVALID.0;
        }
        Signs(signs | last(before))
    }
}

/// By a byte, wherever it is.
fn anywhere(byte: u8) -> u32 {
    match byte {
        0 => NUL.0 | CONTROL.0,
        0xc2 => BEYOND.0 | LATIN_CONTROL.0,
        0x80.. => BEYOND.0,
        b'?' => QUESTION_MARK.0,
        b'#' => NUMBER_SIGN.0,
        b'\\' => BACKSLASH.0,
        b';' => SEMICOLON.0,
        b':' => COLON.0,
        b'<' | b'>' | b'*' | b'|' | b'"' => UNSAFE.0,
        byte if byte.is_ascii_control() => CONTROL.0,
        _ => 0,
    }
}

/// By the first byte of a segment.
fn first(byte: u8) -> u32 {
    match byte {
        b'/' => EMPTY.0,
        b'.' => FIRST_DOT.0 | FIRST_UNSAFE.0,
        b' ' => OUTER_BLANK.0 | FIRST_UNSAFE.0,
        b'(' => FIRST_PARENTHESIS.0,
        b'<' | b'>' | b'*' | b'|' | b'"' | b'?' | b':' => FIRST_UNSAFE.0,
        byte if byte.is_ascii_control() => FIRST_UNSAFE.0,
        _ => 0,
    }
}

/// By the last byte of a segment.
fn last(byte: u8) -> u32 {
    match byte {
        b'.' => LAST_DOT.0,
        b' ' => OUTER_BLANK.0,
        _ => 0,
    }
}

/// By the escape at the beginning of a text.
fn escaped(text: &[u8]) -> Signs {
    match escapes::escape(text) {
        Some((Escape::Byte(byte), _)) => match byte {
            b'/' => ESCAPED_SLASH,
            b'\\' => ESCAPED_BACKSLASH,
            b'.' => ESCAPED_DOT,
            b';' => ESCAPED_SEMICOLON,
            b':' => ESCAPED_COLON,
            b'?' => ESCAPED_QUESTION_MARK,
            b'#' => ESCAPED_NUMBER_SIGN,
            b'%' => ESCAPED_PERCENT,
            0x80.. => ESCAPED_BEYOND,
            _ => ESCAPED_INERT,
        },
        Some((Escape::Unit(_), _)) => ESCAPED_UNIT,
        None => Signs(0),
    }
}
