//! Submitting and finding requests.

use serde_json::json;

use super::audit::{Entry, append};
use super::row::{self, Request, State, select_requests};
use super::{Store, StoreError, exactly_one};
use crate::clock::Moment;

/// A request as it is submitted.
#[derive(Debug)]
pub struct Submission<'a> {
    /// A new id.
    pub id: &'a str,
    /// Who asks.
    pub requester: &'a str,
    /// The requester's roles.
    pub roles: &'a [String],
    /// The requester's groups.
    pub groups: &'a [String],
    /// The environment.
    pub audience: &'a str,
    /// The scopes.
    pub scopes: &'a [String],
    /// Why.
    pub reason: &'a str,
    /// The incident.
    pub incident: Option<&'a str>,
    /// Whether it is called an emergency.
    pub emergency: bool,
    /// For how long, in seconds.
    pub duration_s: i64,
    /// How long it waits for a decision, in seconds.
    pub pending_lifetime_s: i64,
}

/// Which requests to list: the newest first.
#[derive(Debug)]
pub struct Filter<'a> {
    /// Those that this person submitted ..
    pub requester: &'a str,
    /// .. and those that name one of these scopes.
    pub scopes: &'a [String],
    /// .. or of all requesters, for an auditor.
    pub everyone: bool,
    /// In this state only.
    pub state: Option<State>,
    /// At most this many.
    pub limit: i64,
}

impl Store {
    /// Takes a request.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn submit(&self, now: Moment, new: &Submission<'_>) -> Result<(), StoreError> {
        self.check_space()?;
        let mut transaction = self.write().await?;
        let result = sqlx::query(
            "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience,
                scopes, reason, incident, emergency, duration_s, submitted_at, lapses_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )
        .bind(new.id)
        .bind(new.requester)
        .bind(row::json(new.roles))
        .bind(row::json(new.groups))
        .bind(new.audience)
        .bind(row::json(new.scopes))
        .bind(new.reason)
        .bind(new.incident)
        .bind(new.emergency)
        .bind(new.duration_s)
        .bind(now.seconds())
        .bind(now.seconds().saturating_add(new.pending_lifetime_s))
        .execute(&mut *transaction)
        .await?;
        exactly_one(&result)?;
        let detail = json!({
            "audience": new.audience, "scopes": new.scopes, "reason": new.reason,
            "incident": new.incident, "emergency": new.emergency, "duration_s": new.duration_s,
            "roles": new.roles, "groups": new.groups,
        });
        let entry = Entry { actor: new.requester, action: "submit", request_id: new.id, jti: None };
        append(&mut transaction, now, &entry, &detail).await?;
        transaction.commit().await
    }

    /// The request with this id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn request(&self, now: Moment, id: &str) -> Result<Option<Request>, StoreError> {
        Ok(sqlx::query_as(select_requests!("WHERE id = ?2"))
            .bind(now.seconds())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The request whose grant has this id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn grant(&self, now: Moment, jti: &str) -> Result<Option<Request>, StoreError> {
        Ok(sqlx::query_as(select_requests!("WHERE jti = ?2"))
            .bind(now.seconds())
            .bind(jti)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The requests that `filter` lets through.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn requests(
        &self,
        now: Moment,
        filter: &Filter<'_>,
    ) -> Result<Vec<Request>, StoreError> {
        Ok(sqlx::query_as(select_requests!(
            "WHERE (?2 IS NULL OR state = ?2)
               AND (?6 OR requester = ?3 OR EXISTS (
                   SELECT 1 FROM json_each(scopes) AS named
                   WHERE named.value IN (SELECT value FROM json_each(?4))))
             ORDER BY submitted_at DESC, id DESC LIMIT ?5"
        ))
        .bind(now.seconds())
        .bind(filter.state.map(State::word))
        .bind(filter.requester)
        .bind(row::json(filter.scopes))
        .bind(filter.limit)
        .bind(filter.everyone)
        .fetch_all(&self.pool)
        .await?)
    }
}
