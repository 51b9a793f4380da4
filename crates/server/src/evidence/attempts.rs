//! What known callers were refused, and what auditors read: the rows.

use super::{Attempt, AttemptRow, Evidence, EvidenceError};
use crate::store::exactly_one;

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
