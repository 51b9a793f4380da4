//! What of the rules is fixed when a request is submitted.

use breakglass_types::Basis;
use serde::{Deserialize, Serialize};

use super::emergency::FixedEmergency;
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
    /// How it is taken as an emergency, where a rule that matched it has the word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<FixedEmergency>,
}

impl FixedNeeds {
    /// Why the grant exists, once there is one.
    #[must_use]
    pub fn basis(&self) -> Basis {
        self.emergency.as_ref().map_or(Basis::Approved, FixedEmergency::basis)
    }

    /// Whether the requester takes the grant at the submission.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.emergency.as_ref().is_some_and(FixedEmergency::is_alone)
    }
}
