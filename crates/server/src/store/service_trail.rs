//! What was done to the service itself: one row for each act, beside the trail of the requests.

use breakglass_api::trail::ServiceAction;
use serde_json::Value;

use super::events::{Happened, ServiceAct};
use super::{Store, StoreError};
use crate::clock::Moment;

/// An act on the service.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Act {
    /// Its place: it only grows.
    pub seq: i64,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// A person's name, or [`SERVICE`].
    pub actor: String,
    /// What was done, as a word.
    pub action: String,
    /// With what.
    #[sqlx(json)]
    pub detail: Value,
}

/// The actor where the service acted by itself.
pub const SERVICE: &str = "service";

impl Store {
    /// Writes an act down that changes nothing else in the database.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn note_act(
        &self,
        now: Moment,
        actor: &str,
        action: ServiceAction,
        detail: &Value,
    ) -> Result<(), StoreError> {
        self.note_acts(now, actor, &[(action, detail)]).await
    }

    /// Writes several acts down, all of them or none.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses one.
    pub async fn note_acts(
        &self,
        now: Moment,
        actor: &str,
        acts: &[(ServiceAction, &Value)],
    ) -> Result<(), StoreError> {
        let acts: Vec<Happened<'_>> = acts
            .iter()
            .map(|(action, detail)| {
                Happened::Service(ServiceAct { actor, action: *action, detail })
            })
            .collect();
        self.change().await?.record(now, &acts).await?.commit().await
    }

    /// The acts after `after`, in order.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn acts(&self, after: i64, limit: i64) -> Result<Vec<Act>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM service_trail WHERE seq > ?1 ORDER BY seq LIMIT ?2")
            .bind(after)
            .bind(limit)
            .fetch_all(&self.lists)
            .await?)
    }
}
