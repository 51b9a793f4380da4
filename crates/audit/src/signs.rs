//! What only a record has: signs, in a text, that one is in it or was.

use memchr::memmem::{find, rfind};

/// A member that nothing but a record has.
const TELLTALE: &str = "grant_seq";

/// What a record begins with, as far as nothing else does: a line that was cut after it is known.
const OPENINGS: [&str; 2] = ["{\"v\":1,\"time\":\"", "{\\\"v\\\":1,\\\"time\\\":\\\""];

/// The names alone of so many members that an object is taken for a record are longer.
const MIN_RECORD_BYTES: usize = 128;

/// Whether a text without a record may be what is left of one.
pub(super) fn may_be_damaged(line: &str) -> bool {
    has(line, TELLTALE) || OPENINGS.iter().any(|opening| has(line, opening))
}

/// Whether a text is too short for a record, and has no part of one.
pub(super) fn is_nothing(text: &str) -> bool {
    text.len() < MIN_RECORD_BYTES && !may_be_damaged(text)
}

/// Where a text has the last of what only a record has.
pub(super) struct Traces<'t> {
    text: &'t str,
    /// The last [`TELLTALE`]: a record has it near its end, so it is soon found.
    telltale: Option<Option<usize>>,
    last: Option<Option<usize>>,
}

impl Traces<'_> {
    /// Of this text.
    pub(super) fn of(text: &str) -> Traces<'_> {
        Traces { text, telltale: None, last: None }
    }

    /// Whether the text was read for them.
    pub(super) fn were_looked_for(&self) -> bool {
        self.telltale.is_some() || self.last.is_some()
    }

    /// Whether there are any from `at` on.
    pub(super) fn follow(&mut self, at: usize) -> bool {
        let text = self.text.as_bytes();
        let find = |word: &str| rfind(text, word.as_bytes());
        let telltale = *self.telltale.get_or_insert_with(|| find(TELLTALE));
        if telltale.is_some_and(|telltale| telltale >= at) {
            return true;
        }
        let last = self
            .last
            .get_or_insert_with(|| OPENINGS.iter().filter_map(|opening| find(opening)).max());
        last.is_some_and(|last| last >= at)
    }
}

/// Whether it has the member that nothing but a record has.
pub(super) fn has_telltale(text: &str) -> bool {
    has(text, TELLTALE)
}

fn has(text: &str, word: &str) -> bool {
    find(text.as_bytes(), word.as_bytes()).is_some()
}
