//! What the system that keeps incidents said of the incidents of requests: the last answer of each, and when it is asked again.

use sqlx::SqliteConnection;
use sqlx::types::Json;

use super::change::Change;
use super::incident_row::IncidentCheckRow;
use super::{Store, StoreError, exactly_one};
use crate::clock::Moment;

/// A check that is due.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DueCheck {
    /// The request.
    pub request_id: String,
    /// Since when, in seconds: as long as it is this, no other process has made it.
    pub next_at: i64,
}

impl Store {
    /// The checks that are due, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn due_incident_checks(
        &self,
        now: Moment,
        limit: i64,
    ) -> Result<Vec<DueCheck>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT request_id, next_at FROM incident_checks WHERE next_at <= ?1
             ORDER BY next_at LIMIT ?2",
        )
        .bind(now.seconds())
        .bind(limit)
        .fetch_all(&self.lookups)
        .await?)
    }
}

impl Change {
    /// Writes down what is known of the incident of a request that was checked before.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn note_incident_check(
        &mut self,
        request: &str,
        row: &IncidentCheckRow,
    ) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE incident_checks SET at_ms = ?2, verdict = ?3, own_incident = ?4, found = ?5, closed_at_ms = ?6,
                 next_at = ?7
             WHERE request_id = ?1",
        )
        .bind(request)
        .bind(row.at_ms)
        .bind(row.verdict.word())
        .bind(row.own_incident)
        .bind(Json(&row.found))
        .bind(row.closed_at_ms)
        .bind(row.next_at)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }
}

/// Keeps what is known of the incident of a new request.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    request: &str,
    row: &IncidentCheckRow,
) -> Result<(), StoreError> {
    let result = sqlx::query(
        "INSERT INTO incident_checks (request_id, at_ms, verdict, own_incident, found, closed_at_ms, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(request)
    .bind(row.at_ms)
    .bind(row.verdict.word())
    .bind(row.own_incident)
    .bind(Json(&row.found))
    .bind(row.closed_at_ms)
    .bind(row.next_at)
    .execute(connection)
    .await?;
    exactly_one(&result)
}
