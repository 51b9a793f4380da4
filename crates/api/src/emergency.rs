//! Emergencies: whether the requester takes the grant alone, and what is in the way of that.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Word;
use crate::words::words;

words! {
    /// What is in the way of an emergency that its requester takes alone.
    EmergencyObstacle {
        /// The system that keeps incidents did not answer. One person of each rule has to approve.
        IncidentUnchecked = "incident_unchecked",
        /// No incident is named. All rules have to be met.
        NoIncident = "no_incident",
        /// A review of an earlier grant of the requester is overdue. One person of each rule has to approve.
        ReviewOverdue = "review_overdue",
        /// A rule of the request has no `emergency`. All rules have to be met.
        Rule = "rule",
        /// The requester cannot sign in as a rule asks for in an emergency. All rules have to be met.
        SignIn = "sign_in",
        /// It is for more time than a rule allows in an emergency. All rules have to be met.
        TooLong = "too_long",
        /// The requester had as many emergencies as a rule allows in 24 hours. One person of each rule has to approve.
        TooMany = "too_many",
    }
}

/// How the rules of a request take it as an emergency, fixed at its submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Emergency {
    /// Whether its requester takes the grant without an approval.
    pub alone: bool,
    /// What is in the way of that, sorted.
    #[serde(default)]
    #[schema(required = true, value_type = Vec<EmergencyObstacle>)]
    pub obstacles: Vec<Word<EmergencyObstacle>>,
}
