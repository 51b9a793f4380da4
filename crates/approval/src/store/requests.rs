//! Submitting and finding requests.

use serde_json::json;
use sqlx::SqlitePool;

use super::audit::{Entry, append};
use super::row::{self, Request, select_requests};
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
            .fetch_optional(&self.lookups)
            .await?)
    }

    /// The request whose grant has this id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn grant(&self, now: Moment, jti: &str) -> Result<Option<Request>, StoreError> {
        grant(&self.lookups, now, jti).await
    }

    /// What introspection asks: the request whose grant has this id. It has connections of its own: no person's
    /// question and no list takes them.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn introspected(
        &self,
        now: Moment,
        jti: &str,
    ) -> Result<Option<Request>, StoreError> {
        grant(&self.introspection, now, jti).await
    }
}

async fn grant(pool: &SqlitePool, now: Moment, jti: &str) -> Result<Option<Request>, StoreError> {
    Ok(sqlx::query_as(select_requests!("WHERE jti = ?2"))
        .bind(now.seconds())
        .bind(jti)
        .fetch_optional(pool)
        .await?)
}
