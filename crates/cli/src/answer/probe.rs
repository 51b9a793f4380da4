//! Challenges for entrances: `POST /v1/probes` and `POST /v1/probes/{id}/answers`.

use serde::{Deserialize, Serialize};

use super::{Body, Instant, check_id};

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Challenge {
    /// Its id.
    pub id: String,
    /// The JWT.
    pub challenge: String,
    /// When it is over.
    pub expires_at: Instant,
}

impl Body for Challenge {
    const NAME: &'static str = "a challenge";

    fn check(&self) -> Result<(), String> {
        let is_jwt = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let parts = self.challenge.split('.').filter(|part| !part.is_empty()).count();
        if parts != 3 || !self.challenge.bytes().all(is_jwt) {
            return Err("challenge: expected a JWS in compact form".to_owned());
        }
        check_id("id", &self.id)
    }
}

/// What answers prove.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Verdicts {
    /// The challenge.
    pub id: String,
    /// One for each answer, in their order.
    pub verdicts: Vec<Verdict>,
}

impl Body for Verdicts {
    const NAME: &'static str = "what answers to a challenge prove";

    fn check(&self) -> Result<(), String> {
        if let Some(bad) = self.verdicts.iter().find(|one| one.is_guarded() != one.node.is_some()) {
            return Err(format!("verdict: `{}` and `node` do not fit", super::brief(&bad.verdict)));
        }
        check_id("id", &self.id)
    }
}

/// What one answer proves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Verdict {
    /// Which entrance.
    pub entrance: String,
    /// The authority that was sent to it.
    pub authority: String,
    /// The word for it: only `guarded` is good.
    pub verdict: String,
    /// With `unreported`: whose credential.
    #[serde(default)]
    pub proxy: Option<String>,
    /// With `guarded`: which process.
    #[serde(default)]
    pub node: Option<ProbedNode>,
}

impl Verdict {
    /// Whether a filter of ours is proven to be there, with a configuration that it has reported.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.verdict == "guarded"
    }
}

/// The process that has answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ProbedNode {
    /// What it calls itself.
    pub node: String,
    /// Whose credential it has.
    pub proxy: String,
    /// The filter's version.
    pub version: Option<String>,
    /// The digest of its configuration.
    pub config: Option<String>,
    /// `shadow` where it refuses nothing.
    pub enforcement: String,
    /// How many seconds ago it was last heard of.
    pub stale_for_s: i64,
    /// Whether that is so lately that it may go on by what it knows.
    pub alive: bool,
}
