//! What need not be looked at again: a board that is as it was, where nothing was to be done.
//!
//! A worker without requests spends most of a tick on a value that has not changed: an HMAC over it, and its JSON. The
//! value is known again by its version and its authentication code, both. The version alone is not enough: a board
//! that was emptied may count anew. The code alone is not either: another plugin can copy it to a text of its own,
//! which was never checked.

use super::{BoardKey, Version};
use crate::instant::Instant;

/// A value on the board that was found authentic, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// There is none.
    Nothing,
    /// This one.
    Value(Version, [u8; BoardKey::CODE_BYTES]),
}

impl Known {
    /// What tells a value from every other one; `None` if it is too short to be authentic.
    pub(super) fn of(there: Option<&(Vec<u8>, Version)>) -> Option<Known> {
        match there {
            None => Some(Known::Nothing),
            Some((value, version)) => Some(Known::Value(*version, *value.first_chunk()?)),
        }
    }
}

/// That nothing is to be done, and what could change that. A new record in this VM's own chain could not: its head is
/// reported at once, and then the approval service has heard of it in this round.
#[derive(Debug)]
pub(super) struct Quiet {
    pub(super) board: Known,
    /// Since when, and until when: then the next round begins.
    pub(super) since: Instant,
    pub(super) until: Instant,
}

impl Quiet {
    /// Whether it is still so. Not if the clock was set back.
    pub(super) fn lasts(&self, board: Option<Known>, now: Instant) -> bool {
        self.since <= now && now < self.until && board == Some(self.board)
    }
}
