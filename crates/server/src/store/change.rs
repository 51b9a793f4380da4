//! A change of state: one transaction that has the write lock. It is committed only with its row of the trail and its
//! event: [`Change::record`] writes both, and what it returns is what can be committed; so does [`Changed::commit`].
//!
//! What a use case reads through it stays so until it ends. It takes its places last ([`super::positions`]), so that they
//! are held for as short as can be. What changes one request alone takes its place with that change ([`Changed`]).

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use serde_json::Value;
use sqlx::FromRow as _;

use super::events::{Happened, OfRequest};
use super::positions::{Places, take_events};
use super::row::{Request, select_requests};
use super::write::{Write, begin};
use super::{Store, StoreError, record};
use crate::clock::Moment;
use crate::issuer::TrailKeys;

/// A change that is under way. Dropped, it is as if nothing had been.
#[derive(Debug)]
pub struct Change(pub(super) Write, pub(super) TrailKeys);

/// A change of one request, made and not yet recorded.
#[derive(Debug)]
#[must_use = "nothing has changed before it is committed"]
pub struct Changed {
    pub(super) change: Change,
    /// The request as it is then.
    pub(super) request: Request,
    /// The place of the event.
    pub(super) place: Places,
}

/// A change with what the trail and the events say of it.
#[derive(Debug)]
#[must_use = "nothing has changed before it is committed"]
pub struct Recorded(Write);

impl Store {
    /// Begins a change.
    ///
    /// # Errors
    /// [`StoreError`] if the write lock cannot be had.
    pub async fn change(&self) -> Result<Change, StoreError> {
        Ok(Change(self.write().await?, self.keys.clone()))
    }

    /// Begins a change of the request with this id, which is as it is and stays so until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the write lock cannot be had, or the database cannot tell.
    pub async fn change_of(
        &self,
        now: Moment,
        id: &str,
    ) -> Result<(Change, Option<Request>), StoreError> {
        let batch =
            || sqlx::query(begin!(select_requests!("WHERE id = ?2"))).bind(now.seconds()).bind(id);
        let (write, row) = Write::begin_with(&self.writes, batch).await?;
        let request = row.map(|row| Request::from_row(&row)).transpose()?;
        Ok((Change(write, self.keys.clone()), request))
    }
}

impl Change {
    /// The request with this id, as it is and stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn request(&mut self, now: Moment, id: &str) -> Result<Option<Request>, StoreError> {
        Ok(sqlx::query_as(select_requests!("WHERE id = ?2"))
            .bind(now.seconds())
            .bind(id)
            .fetch_optional(&mut *self.0)
            .await?)
    }

    /// Whether there is an event of this type of the request.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn has_event(&mut self, request: &str, kind: EventType) -> Result<bool, StoreError> {
        let has = "SELECT EXISTS (SELECT 1 FROM events WHERE request_id = ?1 AND type = ?2)";
        let has = sqlx::query_scalar(has).bind(request).bind(kind.word());
        Ok(has.fetch_one(&mut *self.0).await?)
    }

    /// The request whose grant has this id, as it is and stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn grant(&mut self, now: Moment, jti: &str) -> Result<Option<Request>, StoreError> {
        Ok(sqlx::query_as(select_requests!("WHERE jti = ?2"))
            .bind(now.seconds())
            .bind(jti)
            .fetch_optional(&mut *self.0)
            .await?)
    }

    /// Ends it without a change.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not even do that.
    pub async fn abandon(self) -> Result<(), StoreError> {
        self.0.rollback().await
    }

    /// Says what was changed, for each request that was: a row of the trail and an event.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn record(
        mut self,
        now: Moment,
        happened: &[Happened<'_>],
    ) -> Result<Recorded, StoreError> {
        for one in happened {
            record::write(&mut self.0, &self.1, now, one).await?;
        }
        Ok(Recorded(self.0))
    }

    /// A change of one request that has changed no row of it, such as another token.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn changed(mut self, request: Request) -> Result<Changed, StoreError> {
        let place = take_events(&mut self.0, 1, Some(&request.id)).await?;
        Ok(Changed { change: self, request, place })
    }
}

impl Changed {
    /// The request as it is then.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Writes down what `actor` did, in the trail's word and in the event's, before more is changed in the same transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn record(
        self,
        now: Moment,
        actor: &str,
        words: (Action, EventType),
        detail: Value,
    ) -> Result<(Change, Request), StoreError> {
        let Changed { change: Change(mut write, keys), request, place } = self;
        let of = OfRequest::new(actor, words, &request, detail);
        record::of_request(&mut write, &keys, now, &of, &place).await?;
        Ok((Change(write, keys), request))
    }

    /// Makes it last, with what `actor` did in the trail's word and in the event's: a row of the trail and an event. Returns
    /// the request.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it: then nothing has changed, or all of it has.
    pub async fn commit(
        self,
        now: Moment,
        actor: &str,
        words: (Action, EventType),
        detail: Value,
    ) -> Result<Request, StoreError> {
        let (change, request) = self.record(now, actor, words, detail).await?;
        change.0.commit().await?;
        Ok(request)
    }
}

impl Recorded {
    /// Makes it last.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it: then nothing has changed, or all of it has.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await
    }
}
