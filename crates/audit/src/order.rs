//! Whether a chain's records come in their order in a file.
//!
//! Envoy's worker writes them so. But what the filter ends in one callback, it ends one inside the
//! other, and Envoy writes the last of them first: such a block of refusals comes backwards.

use super::finding::Place;

/// How far apart two requests may have ended that were ended in one callback, in milliseconds.
const AT_ONCE_MS: u64 = 500;

/// A record that was read.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// Its number.
    pub seq: u64,
    /// Where it is.
    pub place: Place,
    /// When the filter ended the request, in milliseconds; nothing if it did not.
    pub ended_at: Option<i64>,
}

impl Read {
    /// Whether `next`, which was read after this one, may come there.
    #[must_use]
    pub fn may_precede(&self, next: &Read) -> bool {
        self.place.file != next.place.file || self.seq < next.seq || self.encloses(next)
    }

    /// Whether the other request was ended inside this one's end.
    fn encloses(&self, other: &Read) -> bool {
        let ends = self.ended_at.zip(other.ended_at);
        let at_once = ends.is_some_and(|(this, that)| this.abs_diff(that) <= AT_ONCE_MS);
        at_once && other.seq.checked_add(1) == Some(self.seq)
    }
}
