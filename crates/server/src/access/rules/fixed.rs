//! What of the rules is fixed when a request is submitted.

use serde::{Deserialize, Serialize};

use super::facts::HeldTime;
use super::needs::Needs;

/// What was fixed when a request was submitted, as the database keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedNeeds {
    /// What it needs.
    pub needs: Needs,
    /// What its requester held then, or waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldTime>,
}
