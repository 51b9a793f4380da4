//! What is known of the incident of a request, as its row has it.

use breakglass_api::incident::IncidentVerdict;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::clock::{Moment, rfc3339};
use crate::incidents::{Checked, Found};
use crate::limits::INCIDENT_RECHECK_S;

/// The check of a request's incident.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IncidentCheckRow {
    /// The last answer; `silent` before the first one.
    #[serde(deserialize_with = "verdict")]
    pub verdict: IncidentVerdict,
    /// When it was given, in milliseconds; of `silent`, when it was first asked.
    pub at_ms: i64,
    /// Whether the requester opened the incident.
    pub own_incident: bool,
    /// What was found in the answer.
    pub found: Found,
    /// Since when the answer is that the incident is closed or unknown, in milliseconds.
    pub closed_at_ms: Option<i64>,
    /// When it is asked again, in seconds.
    pub next_at: Option<i64>,
}

fn verdict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IncidentVerdict, D::Error> {
    IncidentVerdict::try_from(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

impl IncidentCheckRow {
    /// The first answer.
    #[must_use]
    pub fn answered(now: Moment, checked: &Checked, next_at: Option<i64>) -> IncidentCheckRow {
        IncidentCheckRow {
            verdict: checked.verdict.word(),
            at_ms: now.millis(),
            own_incident: checked.own_incident,
            found: checked.found.clone(),
            closed_at_ms: checked.verdict.is_over().then_some(now.millis()),
            next_at,
        }
    }

    /// No answer came: it is asked again.
    #[must_use]
    pub fn owed(now: Moment) -> IncidentCheckRow {
        IncidentCheckRow {
            verdict: IncidentVerdict::Silent,
            at_ms: now.millis(),
            own_incident: false,
            found: Found::default(),
            closed_at_ms: None,
            next_at: Some(now.seconds().saturating_add(INCIDENT_RECHECK_S)),
        }
    }

    /// Whether no answer came yet.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        self.verdict == IncidentVerdict::Silent
    }

    /// As the trail has it.
    #[must_use]
    pub fn on_trail(&self) -> Value {
        let Found { state, owner, opened_by } = &self.found;
        json!({
            "verdict": self.verdict, "at": rfc3339(self.at_ms.div_euclid(1000)), "state": state, "owner": owner,
            "opened_by": opened_by, "own_incident": self.own_incident,
        })
    }
}
