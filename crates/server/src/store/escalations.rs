//! Requests that wait for a decision, and what was said of them to those who may decide.

use breakglass_api::events::EventType;
use serde_json::Value;
use sqlx::SqliteExecutor;
use sqlx::types::Json;

use super::change::Change;
use super::{Store, StoreError};
use crate::clock::Moment;

impl Store {
    /// The ids of the requests that wait for a decision, those that lapse first first, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn pending_ids(&self, now: Moment, limit: i64) -> Result<Vec<String>, StoreError> {
        // The conditions are those of the index `requests_waiting`.
        Ok(sqlx::query_scalar(
            "SELECT id FROM requests
             WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapsed_at IS NULL
               AND lapses_at > ?1
             ORDER BY lapses_at LIMIT ?2",
        )
        .bind(now.seconds())
        .bind(limit)
        .fetch_all(&self.lookups)
        .await?)
    }

    /// What the events of this type have to say of a request, in order.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn said_of(&self, request: &str, kind: EventType) -> Result<Vec<Value>, StoreError> {
        said_of(&self.lookups, request, kind).await
    }

    /// The ids of the events after its submission that ask people to decide a request.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn asked_later(&self, request: &str) -> Result<Vec<String>, StoreError> {
        let later =
            "SELECT id FROM events WHERE request_id = ?1 AND type IN (?2, ?3) ORDER BY request_seq";
        Ok(sqlx::query_scalar(later)
            .bind(request)
            .bind(EventType::PartlyApproved.word())
            .bind(EventType::Escalated.word())
            .fetch_all(&self.lookups)
            .await?)
    }
}

impl Change {
    /// The same as [`Store::said_of`], as it stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn said_of(
        &mut self,
        request: &str,
        kind: EventType,
    ) -> Result<Vec<Value>, StoreError> {
        said_of(&mut *self.0, request, kind).await
    }
}

async fn said_of(
    database: impl SqliteExecutor<'_>,
    request: &str,
    kind: EventType,
) -> Result<Vec<Value>, StoreError> {
    let said = "SELECT data FROM events WHERE request_id = ?1 AND type = ?2 ORDER BY request_seq";
    let said: Vec<Json<Value>> =
        sqlx::query_scalar(said).bind(request).bind(kind.word()).fetch_all(database).await?;
    Ok(said.into_iter().map(|Json(data)| data).collect())
}
