//! What a change does to rights.

use serde::Serialize;

/// What a change does to rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Something is allowed that was not.
    Grants,
    /// Something is no longer allowed.
    TakesAway,
    /// Neither.
    Neutral,
}
