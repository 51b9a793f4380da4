//! What decides a pending request, or brings it nearer to that. Each changes only a row on which nothing has been decided and that has not lapsed, or
//! fails; the rules of the database say the same.

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::batch::{self, Changes, change_request};
use super::change::{Change, Changed};
use super::folded_names::{folded, keep_names, tables};
use super::row::{self, Request};
use super::{StoreError, exactly_one};
use crate::clock::Moment;

/// One person's yes.
#[derive(Debug, Clone, Copy)]
pub struct NewApproval<'a> {
    /// Who.
    pub approver: &'a str,
    /// The digest of the request as it was shown.
    pub digest: &'a str,
    /// What the approver wrote beside it.
    pub note: Option<&'a str>,
    /// Of these scopes, where it is not of all.
    pub scopes: Option<&'a [String]>,
    /// For so many seconds, where it is shorter than was asked for.
    pub duration_s: Option<i64>,
    /// The groups of the approver that rules name.
    pub groups: &'a [String],
}

/// What was approved, once nothing is missing.
#[derive(Debug, Clone, Copy)]
pub struct NewGrant<'a> {
    /// A new id.
    pub jti: &'a str,
    /// Its scopes.
    pub scopes: &'a [String],
    /// Its end.
    pub expires_at: i64,
    /// Until when its first token has to be taken.
    pub activate_by: i64,
}

/// Whether a request is pending: parameter 1 is the moment in seconds, 2 the request's id.
macro_rules! is_pending {
    () => {
        "id = ?2 AND lapses_at > ?1 AND submitted_at <= ?1 + 5 AND lapsed_at IS NULL
            AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL"
    };
}

/// Changes a request that is pending, with these settings.
macro_rules! set {
    ($settings:literal) => {
        concat!("UPDATE requests SET ", $settings, " WHERE ", is_pending!(), ";")
    };
}

/// Adds an approval of a request that is pending, by the parameters from 3 on.
macro_rules! add_approval {
    () => {
        concat!(
            // The name is for the database's own rule against self-approval.
            keep_names!("?3", "?4"),
            "INSERT INTO approvals (request_id, position, approver, approved_at_ms, digest, note, scopes, duration_s,
                approver_groups)
             SELECT id, (SELECT coalesce(max(position), 0) + 1 FROM approvals WHERE request_id = ?2), ?5, ?6, ?7, ?8,
                 ?9, ?10, ?11
             FROM requests WHERE ",
            is_pending!(),
            ";"
        )
    };
}

impl Change {
    /// Adds an approval to which others have to come.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending, [`StoreError`] if the database refuses it.
    pub async fn approve_partly(
        self,
        now: Moment,
        request: &Request,
        new: &NewApproval<'_>,
    ) -> Result<Changed, StoreError> {
        let batch = bind_approval(change_request!(add_approval!()), now, request, new);
        batch::changed(self, &[Changes::Any, Changes::One], batch).await
    }

    /// Adds an approval, and makes the grant: nothing else is missing, and from now on it runs.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending, [`StoreError`] if the database refuses it.
    pub async fn approve(
        self,
        now: Moment,
        request: &Request,
        new: &NewApproval<'_>,
        grant: &NewGrant<'_>,
    ) -> Result<Changed, StoreError> {
        let batch = change_request!(concat!(
            add_approval!(),
            set!(
                "approved_at = ?1, jti = ?12, granted_scopes = ?13, expires_at = ?14, activate_by = ?15"
            )
        ));
        let batch = bind_approval(batch, now, request, new)
            .bind(grant.jti)
            .bind(row::json(grant.scopes))
            .bind(grant.expires_at)
            .bind(grant.activate_by);
        batch::changed(self, &[Changes::Any, Changes::One, Changes::One], batch).await
    }

    /// Makes the grant of an emergency that its requester takes alone: the database lets no other one be without an approval.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending, [`StoreError`] if the database refuses it.
    pub async fn take_emergency(
        self,
        now: Moment,
        request: &Request,
        grant: &NewGrant<'_>,
    ) -> Result<Changed, StoreError> {
        let batch = change_request!(set!(
            "approved_at = ?1, jti = ?3, granted_scopes = ?4, expires_at = ?5, activate_by = ?6"
        ));
        let batch = sqlx::query(batch)
            .bind(now.seconds())
            .bind(&request.id)
            .bind(grant.jti)
            .bind(row::json(grant.scopes))
            .bind(grant.expires_at)
            .bind(grant.activate_by);
        batch::changed(self, &[Changes::One], batch).await
    }

    /// Denies a request.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending.
    pub async fn deny(
        self,
        now: Moment,
        request: &Request,
        approver: &str,
        reason: &str,
    ) -> Result<Changed, StoreError> {
        let batch = change_request!(concat!(
            keep_names!("?3", "?4"),
            set!("denied_at = ?1, denied_by = ?5, denial_reason = ?6")
        ));
        let batch = sqlx::query(batch)
            .bind(now.seconds())
            .bind(&request.id)
            .bind(folded(&[approver]))
            .bind(tables())
            .bind(approver)
            .bind(reason);
        batch::changed(self, &[Changes::Any, Changes::One], batch).await
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending.
    pub async fn cancel(self, now: Moment, request: &Request) -> Result<Changed, StoreError> {
        let batch = sqlx::query(change_request!(set!("cancelled_at = ?1")));
        let batch = batch.bind(now.seconds()).bind(&request.id);
        batch::changed(self, &[Changes::One], batch).await
    }

    /// Takes one of several requests back.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending.
    pub async fn cancel_one(&mut self, now: Moment, request: &Request) -> Result<(), StoreError> {
        let one = sqlx::query(set!("cancelled_at = ?1")).bind(now.seconds()).bind(&request.id);
        exactly_one(&one.execute(&mut *self.0).await?)
    }

    /// Marks a request as lapsed: it was not decided in time, or its grant was not activated in time.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it was decided, or activated.
    pub async fn lapse(&mut self, now: Moment, request: &Request) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE requests SET lapsed_at = ?2
             WHERE id = ?1 AND lapsed_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL
               AND activated_at IS NULL",
        )
        .bind(&request.id)
        .bind(now.seconds())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }
}

fn bind_approval<'a>(
    batch: &'static str,
    now: Moment,
    request: &'a Request,
    new: &NewApproval<'a>,
) -> Query<'a, Sqlite, SqliteArguments> {
    sqlx::query(batch)
        .bind(now.seconds())
        .bind(&request.id)
        .bind(folded(&[new.approver]))
        .bind(tables())
        .bind(new.approver)
        .bind(now.millis())
        .bind(new.digest)
        .bind(new.note)
        .bind(new.scopes.map(row::json))
        .bind(new.duration_s)
        .bind(row::json(new.groups))
}
