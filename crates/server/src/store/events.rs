//! Events: what happened, in the order of commits. Each is written in the transaction that made it happen: [`super::record`].

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::trail::ServiceAction;
use serde_json::{Value, json};

use super::chain::signed_text;
use super::event::{Event, select_events};
use super::{Request, Store, StoreError, TrailHead};
use crate::clock::{Moment, rfc3339};

/// What a change did.
#[derive(Debug)]
pub enum Happened<'a> {
    /// To a request.
    Request(OfRequest<'a>),
    /// It revoked grants.
    Revocations(Revocations<'a>),
    /// To the service itself.
    Service(ServiceAct<'a>),
    /// The service noticed something of a request, which stays as it is.
    Noticed(Noticed<'a>),
}

/// What the service noticed of a request: an event, and no row of `audit`, because it is no decision.
#[derive(Debug)]
pub struct Noticed<'a> {
    /// The event's word for it.
    pub event: EventType,
    /// The request.
    pub request: &'a Request,
    /// More of it.
    pub data: Value,
}

/// What was done to a request.
#[derive(Debug)]
pub struct OfRequest<'a> {
    /// A person's name, or [`SERVICE`](super::SERVICE).
    pub actor: &'a str,
    /// The trail's word for it.
    pub action: Action,
    /// The event's word for it.
    pub event: EventType,
    /// The request.
    pub request: &'a str,
    /// Its environment.
    pub audience: &'a str,
    /// Its requester.
    pub subject: &'a str,
    /// Its incident, if one was named.
    pub incident: Option<&'a str>,
    /// Its grant, if there is one.
    pub jti: Option<&'a str>,
    /// More of it.
    pub detail: Value,
}

/// Grants were revoked: those in the feed after one epoch, up to another one.
#[derive(Debug)]
pub struct Revocations<'a> {
    /// A person's name, or [`SERVICE`](super::SERVICE).
    pub actor: &'a str,
    /// The epoch before the first of them.
    pub after: i64,
    /// That of the last.
    pub last: i64,
    /// More of it; each has its `epoch` beside it.
    pub detail: Value,
}

/// What was done to the service itself.
#[derive(Debug)]
pub struct ServiceAct<'a> {
    /// A person's name, or [`SERVICE`](super::SERVICE).
    pub actor: &'a str,
    /// What.
    pub action: ServiceAction,
    /// With what.
    pub detail: &'a Value,
}

impl<'a> OfRequest<'a> {
    /// What `actor` did to this request as it is.
    #[must_use]
    pub fn new(
        actor: &'a str,
        (action, event): (Action, EventType),
        request: &'a Request,
        detail: Value,
    ) -> OfRequest<'a> {
        OfRequest {
            actor,
            action,
            event,
            request: &request.id,
            audience: &request.audience,
            subject: &request.requester,
            incident: request.incident.as_deref(),
            jti: request.jti.as_deref(),
            detail,
        }
    }
}

impl Store {
    /// The place of the last event; 0 without one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT event FROM positions").fetch_one(&self.lookups).await?)
    }

    /// The place and the hash of the last event.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell, or the chain has no beginning.
    pub async fn trail_head(&self) -> Result<TrailHead, StoreError> {
        let (seq, hash): (i64, Option<String>) =
            sqlx::query_as("SELECT event, head FROM positions").fetch_one(&self.lookups).await?;
        Ok(TrailHead { seq, hash: hash.ok_or(StoreError::NoHead)? })
    }

    /// The head of the trail, and the line that tells it to other places: `time`, `seq`, `hash`, `kid`, `signature`. What is
    /// signed ([`signed_text`]) is signed as the hash of a link is.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn signed_head(&self, now: Moment) -> Result<(TrailHead, Value), StoreError> {
        let head = self.trail_head().await?;
        let time = rfc3339(now.seconds());
        let signature = self.keys.sign(&signed_text(&time, head.seq, &head.hash));
        let line = json!({
            "time": time, "seq": head.seq, "hash": head.hash, "kid": self.keys.kid(), "signature": signature,
        });
        Ok((head, line))
    }

    /// The requests of which there are events after this place, each with the place, in order, at most so many; nothing for
    /// an event of the service itself. For those who wait for a decision.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn requests_after(
        &self,
        seq: i64,
        limit: i64,
    ) -> Result<Vec<(i64, Option<String>)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT seq, request_id FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )
        .bind(seq)
        .bind(limit)
        .fetch_all(&self.lookups)
        .await?)
    }

    /// The events after this place, in order, at most so many. A reader that goes on after the last one that it read misses
    /// none.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn events_after(&self, seq: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
        Ok(sqlx::query_as(select_events!("WHERE seq > ?1 ORDER BY seq LIMIT ?2"))
            .bind(seq)
            .bind(limit)
            .fetch_all(&self.lists)
            .await?)
    }
}
