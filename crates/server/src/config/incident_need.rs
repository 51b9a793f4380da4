//! Whether a request for a scope names an incident.

use breakglass_config_schema::{Reader, one_of};

/// What a scope needs to know of the incident, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncidentNeed {
    /// A request may name one.
    Optional,
    /// It names one.
    Required,
    /// It names one that the system which keeps incidents says is open, and the requester's.
    Checked,
}

const NEEDS: &[(&str, IncidentNeed)] = &[
    ("optional", IncidentNeed::Optional),
    ("required", IncidentNeed::Required),
    ("checked", IncidentNeed::Checked),
];

pub(super) fn incident_need() -> impl Reader<Value = IncidentNeed> {
    one_of(NEEDS)
}

impl IncidentNeed {
    /// As the configuration writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            IncidentNeed::Optional => "optional",
            IncidentNeed::Required => "required",
            IncidentNeed::Checked => "checked",
        }
    }
}
