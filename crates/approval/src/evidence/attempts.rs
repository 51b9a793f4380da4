//! What known callers were refused, and what auditors read: the rows.

pub use breakglass_api::attempts::{CallerKind, Outcome};

use super::{Evidence, EvidenceError};
use crate::clock::Moment;
use crate::store::exactly_one;

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

impl Evidence {
    /// Writes these attempts: all, or none.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database refuses them.
    pub async fn keep_attempts(&self, attempts: &[Attempt]) -> Result<(), EvidenceError> {
        let mut transaction = self.write().await?;
        for attempt in attempts {
            let result = sqlx::query(
                "INSERT INTO attempts (at_ms, outcome, caller, kind, source, method, endpoint, object,
                     query, status, reason, count)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )
            .bind(attempt.at.millis())
            .bind(attempt.outcome.word())
            .bind(&attempt.caller)
            .bind(attempt.kind.word())
            .bind(&attempt.source)
            .bind(&attempt.method)
            .bind(&attempt.endpoint)
            .bind(&attempt.object)
            .bind(&attempt.query)
            .bind(attempt.status)
            .bind(&attempt.reason)
            .bind(attempt.count)
            .execute(&mut *transaction)
            .await?;
            exactly_one(&result)?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The attempts after `after`, in order.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn attempts(&self, after: i64, limit: i64) -> Result<Vec<AttemptRow>, EvidenceError> {
        Ok(sqlx::query_as("SELECT * FROM attempts WHERE id > ?1 ORDER BY id LIMIT ?2")
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers()?)
            .await?)
    }
}
