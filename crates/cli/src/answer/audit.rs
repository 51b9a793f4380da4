//! What auditors read: `GET /v1/audit/heads`, `/v1/audit/events`, `/v1/audit/requests`, `/v1/audit/attempts` and
//! `/v1/audit/alerts`.

use breakglass_api::alerts::Alerts;
use breakglass_api::attempts::Attempts;
use breakglass_api::evidence::Evidence;
use breakglass_api::heads::Page;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Body;

/// A page of heads. What is in a head is read, and checked, by `audit::heads`.
pub type HeadsPage = Page<IgnoredAny>;

impl Body for HeadsPage {
    const NAME: &'static str = "a page of heads";
}

/// A page of events. What is in an event is read, and checked, by `breakglass_audit::service`.
#[derive(Debug, Deserialize)]
pub struct EventsPage {
    /// The events.
    pub events: Vec<IgnoredAny>,
    /// `after` of the next page.
    pub next: String,
}

impl Body for EventsPage {
    const NAME: &'static str = "a page of events";
}

impl Body for Evidence {
    const NAME: &'static str = "a page of requests";

    fn check(&self) -> Result<(), String> {
        for (index, evidence) in self.requests.iter().enumerate() {
            evidence.request.check().map_err(|error| format!("requests[{index}].{error}"))?;
        }
        Ok(())
    }
}

impl Body for Attempts {
    const NAME: &'static str = "a page of attempts";
}

impl Body for Alerts {
    const NAME: &'static str = "a page of alerts";
}
