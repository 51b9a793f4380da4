//! What an auditor reads: requests with their trail.

use serde_json::Value;

use super::row::{Request, json, select_requests};
use super::{Store, StoreError};
use crate::clock::Moment;

/// What the evidence is about.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// This grant.
    Grant(&'a str),
    /// The incident with these spellings.
    Incident(&'a [String]),
    /// What the person with these spellings asked for.
    Subject(&'a [String]),
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
        let (query, names) = match about {
            About::Grant(jti) => (
                select_requests!("WHERE jti = ?2 AND id > ?3 ORDER BY id LIMIT ?4"),
                jti.to_owned(),
            ),
            // The inner query is a walk of the index of the column.
            About::Incident(spellings) => (
                select_requests!(
                    "WHERE id IN (
                         SELECT id FROM requests
                         WHERE incident IN (SELECT value FROM json_each(?2)) AND id > ?3
                         ORDER BY id LIMIT ?4)
                     ORDER BY id"
                ),
                Value::from(spellings).to_string(),
            ),
            About::Subject(spellings) => (
                select_requests!(
                    "WHERE id IN (
                         SELECT id FROM requests
                         WHERE requester IN (SELECT value FROM json_each(?2)) AND id > ?3
                         ORDER BY id LIMIT ?4)
                     ORDER BY id"
                ),
                Value::from(spellings).to_string(),
            ),
        };
        Ok(sqlx::query_as(query)
            .bind(now.seconds())
            .bind(names)
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
