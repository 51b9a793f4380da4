//! What a scope asks for and a request does not bring.

use crate::reason::DenyReason;

/// A requirement that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The reason code.
    pub reason: DenyReason,
    /// What the holder can do.
    pub remedy: String,
}
