//! Where the chain of events ends.

use serde::{Deserialize, Serialize};

/// A head of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailHead {
    /// The place of its event.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
}
