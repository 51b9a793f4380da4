//! What auditors read: `GET /v1/audit/heads`, `/v1/audit/requests` and `/v1/audit/attempts`.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Body, Instant, Request, nullable};

/// A page of heads. What is in a head is read, and checked, by `audit::heads`.
#[derive(Debug, Clone, Deserialize)]
pub struct HeadsPage {
    /// All that was reported until then is on this page and the next ones.
    pub as_of: Instant,
    /// The heads.
    pub heads: Vec<IgnoredAny>,
    /// Where the next page begins.
    #[serde(deserialize_with = "nullable")]
    pub next: Option<i64>,
}

impl Body for HeadsPage {
    const NAME: &'static str = "a page of heads";
}

/// A page of requests with their trails.
#[derive(Debug, Clone, Deserialize)]
pub struct EvidencePage {
    /// The requests.
    pub requests: Vec<Evidence>,
    /// Where the next page begins.
    #[serde(deserialize_with = "nullable")]
    pub next: Option<String>,
}

/// A request, and what was done with it.
#[derive(Debug, Clone, Deserialize)]
pub struct Evidence {
    /// The request.
    pub request: Request,
    /// The oldest step first.
    pub trail: Vec<Step>,
}

/// A row of the trail.
#[derive(Debug, Clone, Deserialize)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// By this person, or the service.
    pub actor: String,
    /// What.
    pub action: String,
    /// More of it.
    #[serde(default)]
    pub detail: Value,
}

impl Body for EvidencePage {
    const NAME: &'static str = "a page of requests";

    fn check(&self) -> Result<(), String> {
        for (index, evidence) in self.requests.iter().enumerate() {
            evidence.request.check().map_err(|error| format!("requests[{index}].{error}"))?;
        }
        Ok(())
    }
}

/// A page of refused attempts and of readings.
#[derive(Debug, Clone, Deserialize)]
pub struct AttemptsPage {
    /// The oldest first.
    pub attempts: Vec<Attempt>,
    /// Where the next page begins.
    #[serde(deserialize_with = "nullable")]
    pub next: Option<i64>,
    /// What is from before was removed.
    #[serde(default)]
    pub removed_before: Option<Instant>,
}

/// What a known caller was refused, or an auditor read.
#[derive(Debug, Clone, Deserialize)]
pub struct Attempt {
    /// When.
    pub at: Instant,
    /// `refused`, `read`, or `rest` where it counts others of its minute.
    pub outcome: String,
    /// By this person or proxy.
    pub caller: String,
    /// From this address, where it is known.
    #[serde(default)]
    pub source: Option<String>,
    /// How.
    #[serde(default)]
    pub method: Option<String>,
    /// The endpoint, as the interface's description names it.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The id in the path.
    #[serde(default)]
    pub object: Option<String>,
    /// What was asked for.
    #[serde(default)]
    pub query: Option<String>,
    /// Why not.
    #[serde(default)]
    pub reason: Option<String>,
    /// How many it stands for.
    pub count: u64,
}

impl Body for AttemptsPage {
    const NAME: &'static str = "a page of attempts";
}
