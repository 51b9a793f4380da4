//! What is done to every text before it counts as a reading, because leaving it undone could only hide
//! what a rule names: lower case, inert escapes decoded, characters in one Unicode form.

use super::escapes::{Escape, ends_in_escape, escape, is_inert, nested_escape};
use super::unicode;

/// Structural bytes that part no segments: where all of a kind are encoded, decoding them says nothing
/// yet, and whether they are obeyed is a change of its own.
const ALONE: [(u8, &[u8; 3]); 4] = [(b';', b"%3b"), (b':', b"%3a"), (b'?', b"%3f"), (b'#', b"%23")];

/// Settling goes on while it changes anything, but no longer than this: what is left then is a reading
/// of its own.
const MAX_PASSES: usize = 8;

/// `text` in the form in which readings and the names in a rule are compared.
pub(in crate::policy) fn settle(mut settled: Vec<u8>) -> Vec<u8> {
    settled.make_ascii_lowercase();
    for _ in 0..MAX_PASSES {
        let mut next = settled.contains(&b'%').then(|| decode_inert(&settled));
        for (byte, escape) in ALONE {
            let text = next.as_ref().unwrap_or(&settled);
            if !text.contains(&byte) && text.windows(3).any(|three| three == escape) {
                next = Some(decode_alone(text, byte, escape));
            }
        }
        if !settled.is_ascii() || next.as_ref().is_some_and(|next| !next.is_ascii()) {
            next = Some(unicode::fold(&next.unwrap_or_else(|| settled.clone())));
        }
        match next {
            Some(next) if next != settled => settled = next,
            _ => break,
        }
    }
    settled
}

/// Decodes what is inert where it stands, in lower case.
fn decode_inert(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    // Whether the last byte stands for itself, and is no part of an escape; whether it always did.
    let (mut itself, mut sent) = (true, true);
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        if let Some((character, length)) = characters(rest).filter(|_| {
            // Beside bytes that were sent as they are, they may belong to another character.
            !sent || decoded.last().is_none_or(u8::is_ascii)
        }) {
            decoded.extend_from_slice(&character);
            (itself, sent, rest) = (true, false, rest.get(length..).unwrap_or_default());
            continue;
        }
        let Some((escape, length)) = nested_escape(rest) else {
            decoded.push(byte.to_ascii_lowercase());
            (itself, sent, rest) = (true, true, after);
            continue;
        };
        let after = rest.get(length..).unwrap_or_default();
        let plain = match escape {
            Escape::Byte(b'%') => cannot_begin(after).then_some(b'%'),
            Escape::Byte(b'.') => {
                let before = decoded.last().filter(|_| itself).copied();
                let beside = [before, after.first().copied()];
                beside.into_iter().flatten().any(is_of_a_name).then_some(b'.')
            }
            escape if is_inert(escape) => match escape {
                // A control character ends what is before it: how often it is encoded counts.
                Escape::Byte(byte) => {
                    let counts = length > 3 && byte.is_ascii_control();
                    (byte.is_ascii() && !counts).then_some(byte)
                }
                Escape::Unit(unit) => u8::try_from(unit).ok(),
            },
            _ => None,
        };
        let plain = plain.map(|byte| byte.to_ascii_lowercase());
        // Not where the byte would become a part of an escape: another reading of the path decodes it.
        match plain.filter(|byte| !(joins_escape(*byte) && ends_in_escape(&decoded))) {
            Some(byte) => {
                decoded.push(byte);
                (itself, sent) = (true, false);
            }
            None => {
                decoded.extend_from_slice(rest.get(..length).unwrap_or_default());
                (itself, sent) = (false, true);
            }
        }
        rest = after;
    }
    decoded
}

fn decode_alone(text: &[u8], byte: u8, escape: &[u8; 3]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match rest.strip_prefix(escape) {
            Some(after) => {
                decoded.push(byte);
                after
            }
            None => {
                decoded.push(*first);
                after
            }
        };
    }
    decoded
}

/// The escapes of bytes beyond ASCII at the beginning of `text`, if they are whole characters of UTF-8:
/// the bytes, and the length of the escapes.
fn characters(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((Escape::Byte(byte @ 0x80..), 3)) = escape(rest) {
        bytes.push(byte);
        rest = rest.get(3..).unwrap_or_default();
    }
    let whole = rest.first().is_none_or(u8::is_ascii) && std::str::from_utf8(&bytes).is_ok();
    (whole && !bytes.is_empty()).then(|| (bytes, text.len().saturating_sub(rest.len())))
}

/// Whether a byte could be the next one of an escape.
fn joins_escape(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b'u' || byte == b'%'
}

/// Whether a segment with this byte can be no dot segment, whatever is done to it.
fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whether a `%` before `text` begins no escape, whatever is done to the text.
fn cannot_begin(text: &[u8]) -> bool {
    let near = text.get(..text.len().min(5)).unwrap_or_default();
    let near = near.split(|byte| *byte == b'/').next().unwrap_or_default();
    let removable =
        |byte: &u8| !byte.is_ascii() || byte.is_ascii_control() || b"%<>:*|\"?\\()".contains(byte);
    !near.iter().any(removable) && escape(&[b"%", near].concat()).is_none()
}
