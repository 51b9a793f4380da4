//! Percent-escapes: which there are, and the changes that decode one class of them.

use crate::policy::path::hex;

/// What an escape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// `%2f`.
    Byte(u8),
    /// `%u002f`, the escape of JavaScript's `escape` and of IIS.
    Unit(u16),
}

impl Escape {
    /// The ASCII character that it stands for, if it is one.
    fn ascii(self) -> Option<u8> {
        match self {
            Escape::Byte(byte) => byte.is_ascii().then_some(byte),
            Escape::Unit(unit) => u8::try_from(unit).ok().filter(u8::is_ascii),
        }
    }
}

/// The bytes that give a path its structure, or keep it from being read: separators, dots, what ends a
/// path or a segment, and `%`. An escape of any other byte is *inert*: decoding it says nothing new but
/// what a segment's name is, so it is decoded at once, and not as one more reading.
pub(super) const STRUCTURAL: &[u8] = b"/\\.;:?#%";

/// Whether a byte is [structural](STRUCTURAL).
pub(super) fn is_structural(byte: u8) -> bool {
    STRUCTURAL.contains(&byte)
}

/// The escape at the beginning of `text`, and its length.
pub(super) fn escape(text: &[u8]) -> Option<(Escape, usize)> {
    #[cfg(test)]
    super::bounds::count();
    let digits = |from: usize, to: usize| {
        text.get(from..to)?.iter().try_fold(0_u16, |value, digit| {
            Some(value.wrapping_mul(16).wrapping_add(u16::from(hex(Some(*digit))?)))
        })
    };
    match text {
        [b'%', b'u' | b'U', ..] => Some((Escape::Unit(digits(2, 6)?), 6)),
        [b'%', ..] => Some((Escape::Byte(u8::try_from(digits(1, 3)?).ok()?), 3)),
        _ => None,
    }
}

/// The escape at the beginning of `text`, its own `%` decoded as often as it is encoded (`%252f`,
/// `%25252f`), and the length of the whole.
pub(super) fn nested_escape(text: &[u8]) -> Option<(Escape, usize)> {
    let (mut found, mut length) = escape(text)?;
    while found == Escape::Byte(b'%') {
        // What follows begins with the `%` that this is.
        let mut next = [b'%'; 6];
        let after = text.get(length..).unwrap_or_default();
        let known = after.len().min(5);
        next.get_mut(1..)?.get_mut(..known)?.copy_from_slice(after.get(..known)?);
        let Some((inner, inner_length)) = next.get(..known.saturating_add(1)).and_then(escape)
        else {
            // `%25zz` is an escape of `%` and no more.
            break;
        };
        found = inner;
        length = length.saturating_add(inner_length.saturating_sub(1));
    }
    Some((found, length))
}

/// How much of a text's end tells whether it is the beginning of an escape: `%2525252525u` and more would be
/// one that is encoded oftener than anybody decodes.
pub(super) const LONGEST_ESCAPE: usize = 12;

/// Whether a hex digit, a `u` or a `%` that came next would become a part of an escape that `text` ends
/// with the beginning of.
pub(super) fn ends_in_escape(text: &[u8]) -> bool {
    let tail = text.get(text.len().saturating_sub(LONGEST_ESCAPE)..).unwrap_or_default();
    let Some(percent) = tail.iter().rposition(|byte| *byte == b'%') else { return false };
    let mut begun = tail.get(percent.saturating_add(1)..).unwrap_or_default();
    while let Some(rest) = begun.strip_prefix(b"25") {
        begun = rest;
    }
    let (digits, most) = match begun.strip_prefix(b"u") {
        Some(digits) => (digits, 3),
        None => (begun, 1),
    };
    digits.len() <= most && digits.iter().all(u8::is_ascii_hexdigit)
}

/// Decodes, once, every escape for which `decodes` says so.
fn decode(text: &[u8], decodes: impl Fn(Escape) -> bool) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(plain) = rest.iter().position(|byte| *byte == b'%') {
        let (before, from) = rest.split_at_checked(plain).unwrap_or((rest, b""));
        decoded.extend_from_slice(before);
        let length = match escape(from).filter(|(escape, _)| decodes(*escape)) {
            Some((Escape::Byte(byte), length)) => {
                decoded.push(byte);
                length
            }
            Some((Escape::Unit(unit), length)) => {
                let character = char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}');
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                length
            }
            None => {
                decoded.push(b'%');
                1
            }
        };
        rest = from.get(length..).unwrap_or_default();
    }
    decoded.extend_from_slice(rest);
    (decoded.len() < text.len()).then_some(decoded)
}

fn decode_byte(text: &[u8], wanted: u8) -> Option<Vec<u8>> {
    decode(text, |escape| escape == Escape::Byte(wanted))
}

/// `%2f`.
pub(super) fn slashes(text: &[u8]) -> Option<Vec<u8>> {
    decode_byte(text, b'/')
}

/// `%5c`.
pub(super) fn backslashes(text: &[u8]) -> Option<Vec<u8>> {
    decode_byte(text, b'\\')
}

/// `%2e`.
pub(super) fn dots(text: &[u8]) -> Option<Vec<u8>> {
    decode_byte(text, b'.')
}

/// `%3b`.
pub(super) fn semicolons(text: &[u8]) -> Option<Vec<u8>> {
    decode_byte(text, b';')
}

/// `%3f`.
pub(super) fn question_marks(text: &[u8]) -> Option<Vec<u8>> {
    decode_byte(text, b'?')
}

/// `%23`.
pub(super) fn number_signs(text: &[u8]) -> Option<Vec<u8>> {
    decode_byte(text, b'#')
}

/// `%3a`.
pub(super) fn colons(text: &[u8]) -> Option<Vec<u8>> {
    decode_byte(text, b':')
}

/// `%25`: what is decoded twice.
pub(super) fn percents(text: &[u8]) -> Option<Vec<u8>> {
    decode_byte(text, b'%')
}

/// Inert ASCII whose decoding makes another escape (`%2%66`), and so is no matter of course.
pub(super) fn inert(text: &[u8]) -> Option<Vec<u8>> {
    decode(
        text,
        |escape| matches!(escape, Escape::Byte(byte) if byte.is_ascii() && !is_structural(byte)),
    )
}

/// Bytes beyond ASCII that are no whole characters.
pub(super) fn beyond(text: &[u8]) -> Option<Vec<u8>> {
    decode(text, |escape| matches!(escape, Escape::Byte(byte) if !byte.is_ascii()))
}

/// `%uXXXX`.
pub(super) fn units(text: &[u8]) -> Option<Vec<u8>> {
    decode(text, |escape| matches!(escape, Escape::Unit(_)))
}

/// Whether an escape is inert: see [`STRUCTURAL`]. A `%uXXXX` beyond ASCII is not, because it can stand
/// for a separator's twin.
pub(super) fn is_inert(escape: Escape) -> bool {
    match escape {
        Escape::Byte(byte) => !is_structural(byte),
        Escape::Unit(_) => escape.ascii().is_some_and(|byte| !is_structural(byte)),
    }
}
