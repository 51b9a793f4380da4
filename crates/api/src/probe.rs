//! Challenges for entrances: `POST /v1/probes` and `POST /v1/probes/{id}/answers`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proxies::Enforcement;
use crate::words::words;
use crate::{Instant, Word};

/// For which proxies a challenge is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeAsk {
    /// The audience whose keys they fetch, where it has keys of its own. Without it those with the keys of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audience: Option<String>,
}

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Challenge {
    /// Its id.
    pub id: String,
    /// The JWT.
    pub challenge: String,
    /// In which request header it is sent, and in which response header the answer comes.
    #[serde(default)]
    #[schema(required = true)]
    pub header: String,
    /// When it is over.
    pub expires_at: Instant,
}

/// What entrances have answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeAnswers {
    /// One for each entrance.
    #[schema(min_items = 1, max_items = 64)]
    pub answers: Vec<ProbeAnswer>,
}

/// What one entrance has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeAnswer {
    /// Which entrance, for the trail.
    #[schema(max_length = 512)]
    pub entrance: String,
    /// The authority (`Host`) that was sent to it.
    #[schema(max_length = 300)]
    pub authority: String,
    /// What came back in the response header; nothing where none came.
    pub answer: Option<String>,
}

/// What answers prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeVerdicts {
    /// The challenge.
    pub id: String,
    /// The feed's latest epoch.
    #[serde(default)]
    #[schema(required = true)]
    pub epoch: i64,
    /// One for each answer, in their order.
    pub verdicts: Vec<ProbeVerdict>,
}

words! {
    /// What an answer proves.
    Verdict {
        /// The filter of `node` has answered.
        Guarded = "guarded",
        /// A filter with the credential of `proxy` has answered, and no process of that proxy has said that it has
        /// that version and configuration.
        Unreported = "unreported",
        /// An answer that none of the proxies has made.
        NotProven = "not_proven",
        /// Nothing in the form of an answer.
        NoAnswer = "no_answer",
    }
}

/// What one answer proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeVerdict {
    /// Which entrance.
    pub entrance: String,
    /// The authority that was sent to it.
    pub authority: String,
    /// What is proven: only `guarded` is good.
    #[schema(value_type = Verdict)]
    pub verdict: Word<Verdict>,
    /// The authority as the filter received it: with or without its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub received_as: Option<String>,
    /// With `unreported`: whose credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub proxy: Option<String>,
    /// With `guarded`: which process.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub node: Option<ProbedNode>,
}

/// The process that has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbedNode {
    /// What names it in commands.
    #[serde(default)]
    #[schema(required = true)]
    pub id: String,
    /// What it calls itself.
    pub node: String,
    /// Whose credential it has.
    pub proxy: String,
    /// The filter's version.
    #[schema(required = true)]
    pub version: Option<String>,
    /// The digest of its configuration.
    #[schema(required = true)]
    pub config: Option<String>,
    /// `shadow`: it refuses nothing.
    #[schema(value_type = Enforcement)]
    pub enforcement: Word<Enforcement>,
    /// The epoch that it has confirmed.
    #[schema(required = true)]
    pub epoch: Option<i64>,
    /// How many seconds ago it was last heard of: the age of its feed.
    pub stale_for_s: i64,
    /// Whether that is so lately that it may go on by what it knows.
    pub alive: bool,
}
