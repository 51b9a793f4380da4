//! What the conditions of rules are about.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// How long a person held scopes, or asks to, in the 24 hours before a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldTime {
    /// The scopes of one grant or of one request that waits.
    pub scopes: Vec<String>,
    /// For how many seconds.
    pub seconds: i64,
}

/// What the conditions of rules are about, as of the submission of a request.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Who asks.
    pub requester: &'a str,
    /// For which scopes.
    pub scopes: &'a [String],
    /// For how many seconds.
    pub duration_s: i64,
    /// What the person held in the 24 hours before, or asked for and may still get.
    pub held: &'a [HeldTime],
    /// Whether it is called an emergency.
    pub emergency: bool,
    /// When it was submitted.
    pub submitted_at: Moment,
}
