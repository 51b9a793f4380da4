//! What known callers were refused and what auditors read: `GET /v1/audit/attempts`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words::words;
use crate::{Instant, Word, nullable};

/// A page of attempts, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempts {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// `after` of the next page.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub next: Option<i64>,
    /// What is from before this is not kept.
    #[schema(required = true)]
    pub removed_before: Option<Instant>,
}

words! {
    /// What became of an attempt.
    Outcome {
        /// The caller had no right to it, or came too late.
        Refused = "refused",
        /// An auditor read it.
        Read = "read",
        /// `count` more within a minute, for which there is no row.
        Rest = "rest",
    }
}

words! {
    /// Whose credential a caller has.
    CallerKind {
        /// A person's.
        Person = "person",
        /// A proxy's.
        Proxy = "proxy",
    }
}

/// One attempt, or the count of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Its place: it only grows.
    #[serde(default)]
    #[schema(required = true)]
    pub id: i64,
    /// When.
    pub at: Instant,
    /// What became of it.
    #[schema(value_type = Outcome)]
    pub outcome: Word<Outcome>,
    /// The name of the credential.
    pub caller: String,
    /// Whose credential that is.
    #[schema(required = true, nullable = false, value_type = Option<CallerKind>)]
    pub kind: Option<Word<CallerKind>>,
    /// The address of the connection's peer.
    #[schema(required = true)]
    pub source: Option<String>,
    /// The method.
    #[schema(required = true)]
    pub method: Option<String>,
    /// The path with names in place of ids; `unmatched` where there is no such endpoint.
    #[schema(required = true)]
    pub endpoint: Option<String>,
    /// The id in the path.
    #[schema(required = true)]
    pub object: Option<String>,
    /// The query of what was read, at most 512 characters.
    #[schema(required = true)]
    pub query: Option<String>,
    /// The status of the answer.
    #[schema(required = true)]
    pub status: Option<i64>,
    /// The `reason` of the refusal.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// How many it stands for.
    pub count: u64,
}
