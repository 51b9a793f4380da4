//! Bytes beyond ASCII: forms of Unicode, overlong UTF-8, bytes that are no UTF-8 at all.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization as _;

use super::escapes::{LONGEST_ESCAPE, ends_in_escape, is_structural};
use super::work::{Exhausted, Work};

/// Characters that best-fit conversions (Windows code pages) and the eye take for `/`.
const LIKE_SLASH: [char; 4] = ['\u{2044}', '\u{2215}', '\u{2571}', '\u{29f8}'];

/// The same for `\`: `¥` and `₩` stand in its place in Japanese and Korean code pages.
const LIKE_BACKSLASH: [char; 5] = ['\u{2216}', '\u{29f5}', '\u{29f9}', '\u{a5}', '\u{20a9}'];

/// The longest text that one character may become: a longer compatibility form (U+FDFA has 18
/// characters) is no way to write a name, and would let a path grow.
const MAX_FORM_BYTES: usize = 12;

/// Forms of words that were found already: putting one into its form is dear, and the readings of a path
/// have most of their words in common.
#[derive(Debug, Default)]
pub(super) struct Forms {
    folded: BTreeMap<Vec<u8>, Vec<u8>>,
    structural: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Forms {
    /// Each character in its NFKC form and without case, but for what would become structural: that is
    /// [another reading](Forms::structural). The text's ASCII is in lower case.
    pub(super) fn fold(&mut self, text: &[u8], work: &mut Work) -> Result<Vec<u8>, Exhausted> {
        by_word(text, &mut self.folded, fold, work)
    }

    /// The change that takes every character for the structural one that it may stand for.
    pub(super) fn structural(
        &mut self,
        text: &[u8],
        work: &mut Work,
    ) -> Result<Option<Vec<u8>>, Exhausted> {
        let read = by_word(text, &mut self.structural, structural, work)?;
        Ok((read != text).then_some(read))
    }
}

/// Does something to each word that is not all ASCII. A word begins with a byte of ASCII that is no letter
/// or digit, if there is one before it: what joins a character is a mark behind it, a letter or digit beside
/// it, or an escape that was begun with `%` and letters and digits.
fn by_word(
    text: &[u8],
    known: &mut BTreeMap<Vec<u8>, Vec<u8>>,
    change: fn(&[u8]) -> Vec<u8>,
    work: &mut Work,
) -> Result<Vec<u8>, Exhausted> {
    work.look(text.len())?;
    let parts = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    let mut changed = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(beyond) = first_beyond(rest) {
        let (before, after) = rest.split_at_checked(beyond).unwrap_or((rest, b""));
        let start = before.iter().rposition(parts).unwrap_or(0);
        let end = after.iter().position(parts).unwrap_or(after.len()).saturating_add(beyond);
        let word = rest.get(start..end).unwrap_or_default();
        changed.extend_from_slice(rest.get(..start).unwrap_or_default());
        // To find it among others costs a few looks at it.
        work.look(word.len())?;
        match known.get(word) {
            Some(form) => changed.extend_from_slice(form),
            None => {
                work.form(word.len())?;
                let form = change(word);
                changed.extend_from_slice(&form);
                known.insert(word.to_vec(), form);
            }
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    changed.extend_from_slice(rest);
    Ok(changed)
}

/// Where the first byte beyond ASCII is.
fn first_beyond(text: &[u8]) -> Option<usize> {
    let (words, _) = text.as_chunks::<8>();
    let ascii = words.iter().take_while(|word| word.is_ascii()).count().saturating_mul(8);
    let at = text.get(ascii..)?.iter().position(|byte| !byte.is_ascii())?;
    Some(at.saturating_add(ascii))
}

fn fold(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        fold_characters(chunk.valid(), &mut folded);
        folded.extend_from_slice(chunk.invalid());
    }
    folded
}

/// Adds characters in their one form. Those that could become structural stay as they are, and what is
/// between them is formed as a whole, since marks join the letter before.
fn fold_characters(text: &str, folded: &mut Vec<u8>) {
    let mut run = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_ascii() {
            run.push(character);
            continue;
        }
        let joins = || {
            let [so_far, run] = [folded.as_slice(), run.as_bytes()]
                .map(|text| text.get(text.len().saturating_sub(LONGEST_ESCAPE)..).unwrap_or(text));
            ends_in_escape(&[so_far, run].concat())
        };
        let form = form(character);
        // Dots within a name make no dot segment.
        let beside = [run.chars().last(), characters.peek().copied()];
        let named = beside.into_iter().flatten().any(char::is_alphanumeric);
        if named && form.bytes().all(|byte| byte == b'.') {
            run.push(character);
            continue;
        }
        let ascii = form.chars().next().is_some_and(|first| first.is_ascii());
        if form.len() > MAX_FORM_BYTES || form.bytes().any(is_structural) || (ascii && joins()) {
            folded.extend_from_slice(without_case(&run).as_bytes());
            run.clear();
            folded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            run.push(character);
        }
    }
    folded.extend_from_slice(without_case(&run).as_bytes());
}

/// NFKC, and the lower case of the upper case: `ſ` and `ı` are `s` and `i` to whoever compares in upper
/// case.
fn without_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let upper = text.nfkc().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).nfkc().collect()
}

/// What a character may be taken for.
fn form(character: char) -> String {
    let similar = |character: char| {
        if LIKE_SLASH.contains(&character) {
            '/'
        } else if LIKE_BACKSLASH.contains(&character) {
            '\\'
        } else {
            character
        }
    };
    std::iter::once(character).nfkc().map(similar).collect()
}

fn structural(text: &[u8]) -> Vec<u8> {
    let mut read = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let form = if character.is_ascii() { String::new() } else { form(character) };
            if form.is_empty() || form.len() > MAX_FORM_BYTES {
                read.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                read.extend_from_slice(form.as_bytes());
            }
        }
        read.extend_from_slice(chunk.invalid());
    }
    read
}

/// The change that decodes overlong UTF-8, as old decoders do.
pub(super) fn overlongs(text: &[u8]) -> Option<Vec<u8>> {
    let mut read = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let (byte, length) = overlong(rest).unwrap_or((*byte, 1));
        read.push(byte);
        rest = if length == 1 { after } else { rest.get(length..).unwrap_or_default() };
    }
    (read.len() < text.len()).then_some(read)
}

/// The ASCII character at the beginning of `text` in more bytes than one (RFC 3629 section 3 forbids it).
fn overlong(text: &[u8]) -> Option<(u8, usize)> {
    let (lead, first) = (text.first()?, text.get(1)?);
    let (length, zeros) = match (lead, first) {
        (0xc0 | 0xc1, 0x80..=0xbf) => {
            return Some((((lead & 0x01) << 6) | (first & 0x3f), 2));
        }
        (0xe0, _) => (3, 0_usize),
        (0xf0, _) => (4, 1),
        (0xf8, _) => (5, 2),
        (0xfc, _) => (6, 3),
        _ => return None,
    };
    let low = text.get(1..length)?;
    let (high, rest) = low.split_at_checked(zeros)?;
    match rest {
        [high_bits @ (0x80 | 0x81), low_bits @ 0x80..=0xbf]
            if high.iter().all(|byte| *byte == 0x80) =>
        {
            Some((((high_bits & 0x01) << 6) | (low_bits & 0x3f), length))
        }
        _ => None,
    }
}

/// The change that leaves out bytes that are no UTF-8, as decoders do that ignore errors.
pub(super) fn without_invalid(text: &[u8]) -> Option<Vec<u8>> {
    if std::str::from_utf8(text).is_ok() {
        return None;
    }
    Some(text.utf8_chunks().flat_map(|chunk| chunk.valid().bytes()).collect())
}

/// The change that takes bytes for Latin-1 where they are no UTF-8.
pub(super) fn latin_1(text: &[u8]) -> Option<Vec<u8>> {
    if std::str::from_utf8(text).is_ok() {
        return None;
    }
    Some(text.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes())
}
