//! What an auditor reads: requests with their trail.

use serde_json::Value;

use super::row::{Request, json, select_requests};
use super::{Store, StoreError};
use crate::clock::Moment;

/// What the evidence is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// This grant.
    pub grant: Option<&'a str>,
    /// This incident.
    pub incident: Option<&'a str>,
    /// What this person asked for.
    pub subject: Option<&'a str>,
}

/// A row of the trail.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Step {
    /// The request.
    pub request_id: String,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// Did what.
    pub action: String,
    /// With what.
    #[sqlx(json)]
    pub detail: Value,
}

impl Store {
    /// The requests that `about` means, the oldest first, after the one with the id `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn evidence(
        &self,
        now: Moment,
        about: About<'_>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Request>, StoreError> {
        Ok(sqlx::query_as(select_requests!(
            "WHERE (?2 IS NULL OR jti = ?2) AND (?3 IS NULL OR incident = ?3)
               AND (?4 IS NULL OR requester = ?4) AND id > ?5
             ORDER BY id LIMIT ?6"
        ))
        .bind(now.seconds())
        .bind(about.grant)
        .bind(about.incident)
        .bind(about.subject)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The trail of these requests, in its order.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn trail(&self, requests: &[String]) -> Result<Vec<Step>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT request_id, at_ms, actor, action, detail FROM audit
             WHERE request_id IN (SELECT value FROM json_each(?1)) ORDER BY seq",
        )
        .bind(json(requests))
        .fetch_all(&self.pool)
        .await?)
    }
}
