//! The search for everything that changes lead to.

use super::settle::settle_within;
use super::signs::{self, Signs};
use super::unicode::Forms;
use super::work::{Exhausted, MAX_READ_BYTES, MAX_READINGS, Work};
use super::{escapes, reference, segments, unicode};

/// Something that is done to a path; `None` where there is nothing to do.
type Change = fn(&[u8]) -> Option<Vec<u8>>;

/// What an upstream, or somebody in front of it, might do to a path: any of it, in any order. Each needs
/// one of some signs, or does nothing. (A [reference](reference) is one more: it has several paths. So are
/// [twins of structural characters](Forms::structural), which are dear and remembered.)
const CHANGES: [(Signs, Change); 32] = [
    (signs::ESCAPED_SLASH, escapes::slashes),
    (signs::ESCAPED_BACKSLASH, escapes::backslashes),
    (signs::ESCAPED_DOT, escapes::dots),
    (signs::ESCAPED_SEMICOLON, escapes::semicolons),
    (signs::ESCAPED_COLON, escapes::colons),
    (signs::ESCAPED_QUESTION_MARK, escapes::question_marks),
    (signs::ESCAPED_NUMBER_SIGN, escapes::number_signs),
    (signs::ESCAPED_PERCENT, escapes::percents),
    (signs::ESCAPED_INERT, escapes::inert),
    (signs::ESCAPED_BEYOND, escapes::beyond),
    (signs::ESCAPED_UNIT, escapes::units),
    (signs::INVALID, unicode::overlongs),
    (signs::INVALID, unicode::without_invalid),
    (signs::INVALID, unicode::latin_1),
    (signs::QUESTION_MARK, segments::until_query),
    (signs::NUMBER_SIGN, segments::until_fragment),
    (signs::NUL, segments::until_nul),
    (signs::CONTROL, segments::until_control),
    (signs::BACKSLASH, segments::backslashes),
    (signs::SEMICOLON, segments::without_parameters),
    (signs::EMPTY, segments::without_empty),
    (signs::EMPTY, segments::without_leading),
    (signs::FIRST_DOT, segments::without_dots),
    (signs::OUTER_BLANK, segments::without_blanks),
    (signs::LAST_DOT, segments::without_trailing_dots),
    (signs::STREAM, segments::without_streams),
    (UNSAFE, segments::without_unsafe),
    (signs::COLON, segments::without_unsafe_and_colons),
    (INNER_SEPARATORS, segments::without_inner_separators),
    (signs::FIRST_UNSAFE, segments::without_nothing),
    (signs::FIRST_UNSAFE, segments::without_dots_alone),
    (signs::FIRST_PARENTHESIS, segments::without_session),
];

const UNSAFE: Signs =
    signs::UNSAFE.or(signs::QUESTION_MARK).or(signs::CONTROL).or(signs::LATIN_CONTROL);

const INNER_SEPARATORS: Signs =
    signs::ESCAPED_SLASH.or(signs::ESCAPED_BACKSLASH).or(signs::BACKSLASH);

/// Every reading of a path that is not plain, unless there are too many, or finding them takes too much.
pub(super) fn readings(path: &[u8], work: &mut Work) -> Option<Vec<Vec<u8>>> {
    search(path, work).ok()
}

fn search(path: &[u8], work: &mut Work) -> Result<Vec<Vec<u8>>, Exhausted> {
    let mut forms = Forms::default();
    let mut found = Found::default();
    let first = normal(path.to_vec(), &mut forms, work)?;
    found.add(hash(&first), first)?;
    let mut next = 0_usize;
    while let Some(text) = found.texts.get(next) {
        next = next.saturating_add(1);
        for changed in changed(text, &mut forms, work)? {
            // Most of what changes make is known: one after another makes what the other after the one does.
            if found.has(hash(&changed), &changed, work)? {
                continue;
            }
            let text = normal(changed, &mut forms, work)?;
            let hash = hash(&text);
            if !found.has(hash, &text, work)? {
                found.add(hash, text)?;
            }
        }
    }
    Ok(found.texts)
}

/// What each change makes of a text.
fn changed(text: &[u8], forms: &mut Forms, work: &mut Work) -> Result<Vec<Vec<u8>>, Exhausted> {
    work.look(text.len())?;
    let signs = Signs::of(text);
    let mut made = Vec::new();
    for (_, change) in CHANGES.iter().filter(|(needs, _)| signs.has(*needs)) {
        work.look(text.len())?;
        made.extend(change(text));
    }
    if signs.has(signs::BEYOND) {
        made.extend(forms.structural(text, work)?);
    }
    for path in reference::paths(text) {
        work.look(path.len())?;
        made.push(path);
    }
    Ok(made)
}

/// A text as one that counts as a reading: settled, and without slashes at its end.
fn normal(text: Vec<u8>, forms: &mut Forms, work: &mut Work) -> Result<Vec<u8>, Exhausted> {
    let mut text = settle_within(text, forms, work)?;
    while text.len() > 1 && text.last() == Some(&b'/') {
        text.pop();
    }
    Ok(text)
}

/// The readings so far.
#[derive(Debug, Default)]
struct Found {
    texts: Vec<Vec<u8>>,
    /// Of each text.
    hashes: Vec<u64>,
    /// How long they are together.
    bytes: usize,
}

impl Found {
    fn has(&self, hash: u64, text: &[u8], work: &mut Work) -> Result<bool, Exhausted> {
        work.look(text.len())?;
        for (known, _) in self.texts.iter().zip(&self.hashes).filter(|(_, known)| **known == hash) {
            // Whoever makes texts of one hash pays for it.
            work.look(text.len())?;
            if known == text {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn add(&mut self, hash: u64, text: Vec<u8>) -> Result<(), Exhausted> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.texts.len() >= MAX_READINGS || self.bytes > MAX_READ_BYTES {
            return Err(Exhausted);
        }
        self.hashes.push(hash);
        self.texts.push(text);
        Ok(())
    }
}

/// Enough to tell texts apart that nobody made to be alike.
fn hash(text: &[u8]) -> u64 {
    let mix =
        |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, rest) = text.as_chunks::<8>();
    let hash = words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)))
}
