//! What the system that keeps incidents said of the incident of a request.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words::words;
use crate::{Instant, Word};

words! {
    /// What was said of an incident, as the service's `incident_check` reads it.
    IncidentVerdict {
        /// It is there, and not open.
        Closed = "closed",
        /// It is open, and another person's or team's.
        NotYours = "not_yours",
        /// It is open, and the requester's where the configuration asks for that.
        Open = "open",
        /// Nothing was said: the check is owed.
        Silent = "silent",
        /// There is no such incident.
        Unknown = "unknown",
    }
}

/// The check of a request's incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncidentCheck {
    /// The last answer; `silent` where there was none.
    #[schema(value_type = IncidentVerdict)]
    pub verdict: Word<IncidentVerdict>,
    /// When it was given; of a check that is owed, when it was first tried.
    pub checked_at: Instant,
    /// The incident's state, as the answer has it; nothing where there is no such incident, or no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub state: Option<String>,
    /// Whether the requester opened the incident.
    #[serde(default)]
    #[schema(required = true)]
    pub own_incident: bool,
    /// Whether no answer came yet: approvers decide without it, and the service goes on asking.
    #[serde(default)]
    #[schema(required = true)]
    pub incident_unchecked: bool,
}
