//! Events as the sinks are told of them ([`crate::outbox`]), on a connection of their own: reading them takes none from a
//! list, an approval or a revocation.

use breakglass_api::events::EventType;
use serde_json::Value;
use sqlx::types::Json;

use super::row::approvals;
use super::{ApprovalRow, Store, StoreError};
use crate::access::rules::FixedNeeds;

/// An event, with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ToldEvent {
    /// Its place: events that are committed later have higher ones.
    pub seq: i64,
    /// Its id, for good.
    pub id: String,
    /// When, in milliseconds.
    pub time_ms: i64,
    /// What happened.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// The request.
    pub request_id: Option<String>,
    /// The request's environment.
    pub audience: Option<String>,
    /// The request's requester.
    pub subject: Option<String>,
    /// The request's incident.
    pub incident: Option<String>,
    /// The request's grant.
    pub jti: Option<String>,
    /// More of it.
    #[sqlx(json)]
    pub data: Value,
    /// The scopes that the request is for.
    pub scopes: Option<Json<Vec<String>>>,
    /// Why.
    pub reason: Option<String>,
    /// For how long, in seconds.
    pub duration_s: Option<i64>,
    /// Whether it was called an emergency.
    pub emergency: Option<bool>,
    /// When it was submitted, in seconds.
    pub submitted_at: Option<i64>,
    /// What it needs to be approved.
    pub needs: Option<Json<FixedNeeds>>,
    /// The approvals until now.
    pub approvals: Json<Vec<ApprovalRow>>,
}

impl Store {
    /// The events after this place, in order, at most so many, as sinks are told of them.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn events_to_tell(
        &self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ToldEvent>, StoreError> {
        Ok(sqlx::query_as(
            concat!("SELECT seq, events.id, time_ms, type, actor, events.request_id, events.audience, subject, events.incident,
                 events.jti, data, scopes, reason, duration_s, emergency, submitted_at, needs, ",
             approvals!("events.request_id"),
             " AS approvals
             FROM events LEFT JOIN requests ON requests.id = events.request_id
             WHERE seq > ?1 ORDER BY seq LIMIT ?2"),
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.telling)
        .await?)
    }

    /// The place and the id of the event by which this request was submitted; nothing where the trail does not have it.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn submission(&self, request: &str) -> Result<Option<(i64, String)>, StoreError> {
        let submission =
            "SELECT seq, id FROM events WHERE request_id = ?1 AND request_seq = 1 AND type = ?2";
        Ok(sqlx::query_as(submission)
            .bind(request)
            .bind(EventType::Submitted.word())
            .fetch_optional(&self.lookups)
            .await?)
    }

    /// The place of the last event; 0 without one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn last_event_to_tell(&self) -> Result<i64, StoreError> {
        let last = "SELECT coalesce(max(seq), 0) FROM events";
        Ok(sqlx::query_scalar(last).fetch_one(&self.telling).await?)
    }
}
