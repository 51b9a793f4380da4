//! Why a use case does nothing, because of the incident that a request names.

use crate::incidents::Verdict;

/// Why the incident is not good enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncidentRefused {
    /// None is named, and this scope needs one.
    Missing {
        /// The scope.
        scope: String,
    },
    /// It cannot stand in the URL at which it is asked for.
    NotOneName,
    /// The answer says so.
    Said {
        /// What it says; never that the incident is good.
        verdict: Verdict,
        /// The incident.
        incident: String,
        /// Its state, as it may be shown.
        state: Option<String>,
        /// Whether it is an approval that is refused, and no submission.
        of_approval: bool,
    },
    /// There was no answer.
    Silent,
    /// The person's submissions have made as many checks as they may.
    TooOften,
}
