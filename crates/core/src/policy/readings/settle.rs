//! What is done to every text before it counts as a reading, because leaving it undone could only hide
//! what a rule names: lower case, inert escapes decoded, characters in one Unicode form.

use super::escapes::{Escape, ends_in_escape, escape, is_inert, nested_escape};
use super::signs::{self, Signs};
use super::unicode::Forms;
use super::work::{Exhausted, Work};

/// Structural bytes that part no segments: where all of a kind are encoded, decoding them says nothing
/// yet, and whether they are obeyed is a change of its own.
const ALONE: [(Signs, Signs, u8, &[u8; 3]); 4] = [
    (signs::SEMICOLON, signs::ESCAPED_SEMICOLON, b';', b"%3b"),
    (signs::COLON, signs::ESCAPED_COLON, b':', b"%3a"),
    (signs::QUESTION_MARK, signs::ESCAPED_QUESTION_MARK, b'?', b"%3f"),
    (signs::NUMBER_SIGN, signs::ESCAPED_NUMBER_SIGN, b'#', b"%23"),
];

/// Settling goes on while it changes anything, but no longer than this: what is left then is a reading
/// of its own.
const MAX_PASSES: usize = 8;

/// `text` in the form in which readings and the names in a rule are compared.
pub(in crate::policy) fn settle(text: Vec<u8>) -> Vec<u8> {
    let unbounded = &mut Work::of(usize::MAX);
    // That much work is never done.
    settle_within(text, &mut Forms::default(), unbounded).unwrap_or_default()
}

/// The same, as long as there is work left.
pub(super) fn settle_within(
    mut settled: Vec<u8>,
    forms: &mut Forms,
    work: &mut Work,
) -> Result<Vec<u8>, Exhausted> {
    settled.make_ascii_lowercase();
    for _ in 0..MAX_PASSES {
        work.look(settled.len())?;
        let mut next = settled.contains(&b'%').then(|| decode_inert(&settled));
        if let Some(next) = &mut next {
            work.look(next.len())?;
            let signs = Signs::of(next);
            for (plain, escaped, byte, escape) in ALONE {
                if signs.has(escaped) && !signs.has(plain) {
                    *next = decode_alone(next, byte, escape);
                }
            }
        }
        if !next.as_ref().unwrap_or(&settled).is_ascii() {
            next = Some(forms.fold(next.as_ref().unwrap_or(&settled), work)?);
        }
        match next {
            Some(next) if next != settled => settled = next,
            _ => break,
        }
    }
    Ok(settled)
}

/// Decodes what is inert where it stands, in lower case.
fn decode_inert(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    // Whether the last byte stands for itself, and is no part of an escape; whether it always did.
    let (mut itself, mut sent) = (true, true);
    let mut rest = text;
    // How many escapes of bytes beyond ASCII come before those that are whole characters.
    let mut broken = 0_usize;
    while !rest.is_empty() {
        let plain = rest.iter().position(|byte| *byte == b'%').unwrap_or(rest.len());
        if let Some((copied, after)) = rest.split_at_checked(plain).filter(|_| plain > 0) {
            decoded.extend(copied.iter().map(u8::to_ascii_lowercase));
            (itself, sent, rest, broken) = (true, true, after, 0);
            continue;
        }
        if broken == 0 {
            // Beside bytes that were sent as they are, they may belong to another character.
            let whole = !sent || decoded.last().is_none_or(u8::is_ascii);
            match characters(rest) {
                Characters::Whole(characters, length) if whole => {
                    decoded.extend_from_slice(&characters);
                    (itself, sent, rest) = (true, false, rest.get(length..).unwrap_or_default());
                    continue;
                }
                Characters::Whole(..) | Characters::None => {}
                Characters::Behind(others) => broken = others,
            }
        }
        broken = broken.saturating_sub(1);
        let Some((escape, length)) = nested_escape(rest) else {
            decoded.push(b'%');
            (itself, sent, rest) = (true, true, rest.get(1..).unwrap_or_default());
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

/// What escapes of bytes beyond ASCII stand for, which follow one another.
enum Characters {
    /// Whole characters of UTF-8: the bytes, and the length of the escapes.
    Whole(Vec<u8>, usize),
    /// Whole characters, or none, only after so many escapes.
    Behind(usize),
    /// There is no such escape.
    None,
}

/// The escapes of bytes beyond ASCII at the beginning of `text`.
fn characters(text: &[u8]) -> Characters {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((Escape::Byte(byte @ 0x80..), 3)) = escape(rest) {
        bytes.push(byte);
        rest = rest.get(3..).unwrap_or_default();
    }
    if bytes.is_empty() {
        return Characters::None;
    }
    if !rest.first().is_none_or(u8::is_ascii) {
        return Characters::Behind(bytes.len());
    }
    let last = bytes.utf8_chunks().filter(|chunk| chunk.invalid().is_empty()).last();
    match bytes.len().saturating_sub(last.map_or(0, |chunk| chunk.valid().len())) {
        0 => Characters::Whole(bytes, text.len().saturating_sub(rest.len())),
        broken => Characters::Behind(broken),
    }
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
    let mut begun = [b'%'; 6];
    let length = near.len().saturating_add(1);
    begun.iter_mut().skip(1).zip(near).for_each(|(begun, near)| *begun = *near);
    !near.iter().any(removable) && begun.get(..length).and_then(escape).is_none()
}
