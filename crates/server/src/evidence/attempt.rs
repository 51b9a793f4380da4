//! What known callers were refused, and what auditors read: one of these.

use crate::clock::Moment;
pub use breakglass_api::attempts::{CallerKind, Outcome};

/// One attempt, or the count of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Moment,
    /// What became of it.
    pub outcome: Outcome,
    /// The name of the caller's credential.
    pub caller: String,
    /// Whose credential that is.
    pub kind: CallerKind,
    /// The address of the connection's peer.
    pub source: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// The path, with names in place of ids.
    pub endpoint: Option<String>,
    /// The id in the path.
    pub object: Option<String>,
    /// The query, of what was read.
    pub query: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The reason word of a refusal.
    pub reason: Option<String>,
    /// How many.
    pub count: i64,
}

/// A row as it is read.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AttemptRow {
    /// Its place: it only grows.
    pub id: i64,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// `refused`, `read` or `rest`.
    pub outcome: String,
    /// The name of the caller's credential.
    pub caller: String,
    /// `person` or `proxy`.
    pub kind: String,
    /// The address of the connection's peer.
    pub source: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// The path, with names in place of ids.
    pub endpoint: Option<String>,
    /// The id in the path.
    pub object: Option<String>,
    /// The query, of what was read.
    pub query: Option<String>,
    /// The status of the answer.
    pub status: Option<i64>,
    /// The reason word of a refusal.
    pub reason: Option<String>,
    /// How many.
    pub count: i64,
}
