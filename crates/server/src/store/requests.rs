//! Submitting and finding requests.

use std::collections::BTreeMap;

use breakglass_api::evidence::Action;
use breakglass_types::scope_rules::{ScopeDigest, ScopeRules};
use serde_json::json;
use sqlx::SqlitePool;
use sqlx::types::Json;

use super::audit::{Entry, append};
use super::idempotency::{self, Earlier, Idempotency};
use super::row::{self, Request, select_requests};
use super::write::Write;
use super::{Store, StoreError, exactly_one, folded_names, scope_rules};
use crate::clock::Moment;
use crate::config::Digest;

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
    /// The digests of their rules, of those that are defined.
    pub scope_digests: &'a BTreeMap<String, ScopeDigest>,
    /// The rules that have these digests.
    pub scope_rules: &'a [&'a ScopeRules],
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
    /// The credential that submits it: the SHA-256 of the configured `token_sha256`.
    pub credential: Digest,
    /// At most this many requests of the requester's wait for a decision at a time.
    pub max_pending: i64,
    /// How the client says that a submission is a repeated one.
    pub idempotency: Option<Idempotency<'a>>,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It is a new request.
    New,
    /// It repeats the submission of this request.
    Repeated(String),
    /// Its key stands for a submission of something else.
    KeyReused,
    /// As many as may wait for a decision already do: this many.
    TooManyPending(i64),
}

impl Store {
    /// Takes a request, unless it repeats an earlier one, or too many of the requester's wait.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn submit(&self, now: Moment, new: &Submission<'_>) -> Result<Submitted, StoreError> {
        self.check_space()?;
        let mut transaction = self.write().await?;
        if let Some(refused) = not_new(&mut transaction, now, new).await? {
            transaction.rollback().await?;
            return Ok(refused);
        }
        let names: Vec<&str> = [new.requester].into_iter().chain(new.incident).collect();
        folded_names::keep(&mut transaction, &names).await?;
        for rules in new.scope_rules {
            scope_rules::keep(&mut transaction, rules).await?;
        }
        let result = sqlx::query(
            "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience,
                scopes, reason, incident, emergency, duration_s, submitted_at, lapses_at,
                submitted_with, scope_digests)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
        .bind(new.credential.as_slice())
        .bind(Json(new.scope_digests))
        .execute(&mut *transaction)
        .await?;
        exactly_one(&result)?;
        let detail = json!({
            "audience": new.audience, "scopes": new.scopes, "reason": new.reason,
            "incident": new.incident, "emergency": new.emergency, "duration_s": new.duration_s,
            "roles": new.roles, "groups": new.groups, "digest": new.digest(),
            "scope_digests": new.scope_digests,
        });
        let entry =
            Entry { actor: new.requester, action: Action::Submit, request_id: new.id, jti: None };
        append(&mut transaction, now, &entry, &detail).await?;
        if let Some(key) = &new.idempotency {
            let (person, credential) = (new.requester, &new.credential);
            idempotency::keep(&mut transaction, now, person, credential, key, new.id).await?;
        }
        transaction.commit().await?;
        Ok(Submitted::New)
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

/// Why this submission is not a new request. What it reads stays so until the transaction ends.
async fn not_new(
    transaction: &mut Write,
    now: Moment,
    new: &Submission<'_>,
) -> Result<Option<Submitted>, StoreError> {
    if let Some(key) = &new.idempotency {
        let earlier =
            idempotency::earlier(transaction, now, new.requester, &new.credential, key).await?;
        match earlier {
            Earlier::None => {}
            Earlier::Same(id) => return Ok(Some(Submitted::Repeated(id))),
            Earlier::Other => return Ok(Some(Submitted::KeyReused)),
        }
    }
    // The conditions are those of the index `requests_undecided`.
    let pending: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM requests
         WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL
           AND requester = ?1 AND lapses_at > ?2 AND lapsed_at IS NULL",
    )
    .bind(new.requester)
    .bind(now.seconds())
    .fetch_one(&mut **transaction)
    .await?;
    Ok((pending >= new.max_pending).then_some(Submitted::TooManyPending(pending)))
}
