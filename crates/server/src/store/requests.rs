//! Submitting and finding requests.

use std::collections::BTreeMap;

use breakglass_api::evidence::Action;
use breakglass_types::scope_rules::{ScopeDigest, ScopeRules};
use sqlx::SqlitePool;
use sqlx::types::Json;

use super::batch::{self, Changes, change_request};
use super::change::{Change, Changed};
use super::folded_names::{folded, keep_names, tables};
use super::idempotency::{self, Earlier, Idempotency};
use super::incident_checks;
use super::incident_row::IncidentCheckRow;
use super::row::{self, Request, select_requests};
use super::{Store, StoreError, scope_rules};
use crate::access::rules::FixedNeeds;
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
    /// What it needs.
    pub needs: &'a FixedNeeds,
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
    /// The request whose grant it goes on with.
    pub extends: Option<&'a str>,
    /// What is known of the incident, where it is checked.
    pub incident_check: Option<&'a IncidentCheckRow>,
    /// How the client says that a submission is a repeated one.
    pub idempotency: Option<Idempotency<'a>>,
}

impl Change {
    /// How many requests of this person's wait for a decision.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn pending_of(&mut self, now: Moment, requester: &str) -> Result<i64, StoreError> {
        // The conditions are those of the index `requests_undecided`.
        Ok(sqlx::query_scalar(
            "SELECT count(*) FROM requests
             WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL
               AND requester = ?1 AND lapses_at > ?2 AND lapsed_at IS NULL",
        )
        .bind(requester)
        .bind(now.seconds())
        .fetch_one(&mut *self.0)
        .await?)
    }

    /// Which submission this one repeats.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn earlier_submission(
        &mut self,
        now: Moment,
        person: &str,
        credential: &Digest,
        key: &Idempotency<'_>,
    ) -> Result<Earlier, StoreError> {
        idempotency::earlier(&mut self.0, now, person, credential, key).await
    }

    /// Takes a request.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn submit(
        mut self,
        now: Moment,
        new: &Submission<'_>,
    ) -> Result<Changed, StoreError> {
        let names: Vec<&str> = [new.requester].into_iter().chain(new.incident).collect();
        for rules in new.scope_rules {
            scope_rules::keep(&mut self.0, rules).await?;
        }
        let batch = change_request!(concat!(
            keep_names!("?3", "?4"),
            "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience,
                scopes, reason, incident, emergency, duration_s, submitted_at, lapses_at,
                submitted_with, scope_digests, extends, needs, basis)
             VALUES (?2, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?1, ?14, ?15, ?16, ?17, ?18, ?19);"
        ));
        let batch = sqlx::query(batch)
            .bind(now.seconds())
            .bind(new.id)
            .bind(folded(&names))
            .bind(tables())
            .bind(new.requester)
            .bind(row::json(new.roles))
            .bind(row::json(new.groups))
            .bind(new.audience)
            .bind(row::json(new.scopes))
            .bind(new.reason)
            .bind(new.incident)
            .bind(new.emergency)
            .bind(new.duration_s)
            .bind(now.seconds().saturating_add(new.pending_lifetime_s))
            .bind(new.credential.as_slice())
            .bind(Json(new.scope_digests))
            .bind(new.extends)
            .bind(Json(new.needs))
            .bind(new.needs.basis().word());
        let mut changed = batch::changed(self, &[Changes::Any, Changes::One], batch).await?;
        if let Some(row) = new.incident_check {
            incident_checks::keep(&mut changed.change.0, new.id, row).await?;
            changed.request.incident_check = Some(row.clone());
        }
        if let Some(key) = &new.idempotency {
            let (person, credential) = (new.requester, &new.credential);
            let connection = &mut changed.change.0;
            idempotency::keep(connection, now, person, credential, key, new.id).await?;
        }
        Ok(changed)
    }
}

impl Store {
    /// The digest of the configuration under which the last approval of this request was given, or its grant was taken, as the trail has it;
    /// nothing without an approval, and for one by an earlier version.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn configuration_of_grant(&self, id: &str) -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar(
            "SELECT detail ->> '$.configuration' FROM audit WHERE request_id = ?1 AND action IN (?2, ?3)
             ORDER BY seq DESC LIMIT 1",
        );
        let (approve, take) = (Action::Approve.word(), Action::TakeEmergency.word());
        let row = found.bind(id).bind(approve).bind(take).fetch_optional(&self.lookups);
        Ok(row.await?.flatten())
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
