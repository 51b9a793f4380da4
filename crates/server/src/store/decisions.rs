//! What decides a pending request. Each changes only a row on which nothing has been decided and that has not lapsed, or
//! fails; the rules of the database say the same.

use super::change::Change;
use super::row::{self, Request};
use super::{StoreError, exactly_one, folded_names};
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

impl Change {
    /// Adds an approval.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn approve(
        &mut self,
        now: Moment,
        request: &Request,
        new: &NewApproval<'_>,
    ) -> Result<(), StoreError> {
        // For the database's own rule against self-approval.
        folded_names::keep(&mut self.0, &[new.approver]).await?;
        let result = sqlx::query(
            "INSERT INTO approvals (request_id, position, approver, approved_at_ms, digest, note, scopes, duration_s)
             SELECT ?1, (SELECT coalesce(max(position), 0) + 1 FROM approvals WHERE request_id = ?1), ?2, ?3, ?4, ?5, ?6, ?7",
        )
        .bind(&request.id)
        .bind(new.approver)
        .bind(now.millis())
        .bind(new.digest)
        .bind(new.note)
        .bind(new.scopes.map(row::json))
        .bind(new.duration_s)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Makes a grant of a request whose last approval has come: from now on it runs.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending.
    pub async fn make_grant(
        &mut self,
        now: Moment,
        request: &Request,
        new: &NewGrant<'_>,
    ) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE requests
             SET approved_at = ?2, jti = ?3, granted_scopes = ?4, expires_at = ?5, activate_by = ?6
             WHERE id = ?1 AND lapses_at > ?2 AND submitted_at <= ?2 + 5 AND lapsed_at IS NULL
               AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL",
        )
        .bind(&request.id)
        .bind(now.seconds())
        .bind(new.jti)
        .bind(row::json(new.scopes))
        .bind(new.expires_at)
        .bind(new.activate_by)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Denies a request.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending.
    pub async fn deny(
        &mut self,
        now: Moment,
        request: &Request,
        approver: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        folded_names::keep(&mut self.0, &[approver]).await?;
        let result = sqlx::query(
            "UPDATE requests SET denied_at = ?2, denied_by = ?3, denial_reason = ?4
             WHERE id = ?1 AND lapses_at > ?2 AND submitted_at <= ?2 + 5 AND lapsed_at IS NULL
               AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL",
        )
        .bind(&request.id)
        .bind(now.seconds())
        .bind(approver)
        .bind(reason)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending.
    pub async fn cancel(&mut self, now: Moment, request: &Request) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE requests SET cancelled_at = ?2
             WHERE id = ?1 AND lapses_at > ?2 AND submitted_at <= ?2 + 5 AND lapsed_at IS NULL
               AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL",
        )
        .bind(&request.id)
        .bind(now.seconds())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
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
