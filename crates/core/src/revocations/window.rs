//! Positions in the feed, and what one VM of a proxy has learnt from the feed, for the others to go on from.

use serde::{Deserialize, Serialize};

use breakglass_types::feed;

/// A position in the feed: an epoch, and the random tag that the service gave it. The tag tells it from the
/// same epoch given a second time, by a service that was restored from a backup or has lost commits. An older
/// service gives none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) epoch: u64,
    pub(crate) tag: Option<Box<str>>,
}

/// One revocation.
pub(crate) type Revoked = feed::Revoked<Box<str>>;

/// What a poll brought to the VM that made it, for the others.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) feed: Option<String>,
    /// Who is at one of these can go on from here: in order, the earliest first.
    pub(crate) from: Vec<Position>,
    /// The position in the feed with all that is in here.
    pub(crate) to: Position,
    /// When the question was sent whose answer this is, in milliseconds.
    pub(crate) as_of: u64,
    pub(crate) revoked: Vec<Revoked>,
}

impl Window {
    /// Whether somebody at this position misses nothing by going on with what is in here.
    pub(crate) fn goes_on_from(&self, position: &Position) -> bool {
        // Without tags any epoch in between will do.
        let is_between = || self.from.first().is_some_and(|from| from.epoch <= position.epoch);
        self.to == *position
            || self.from.contains(position)
            || self.to.tag.is_none() && position.tag.is_none() && is_between()
    }
}
