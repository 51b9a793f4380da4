//! The three ways a pending request is decided. Exactly one of them wins, once: each changes only
//! a row on which nothing has been decided and that has not lapsed.

use breakglass_api::evidence::Action;
use serde_json::json;

use super::audit::{Entry, append};
use super::row::{Request, select_requests};
use super::{State, Store, StoreError, exactly_one, folded_names};
use crate::clock::Moment;

/// An approval.
#[derive(Debug)]
pub struct Approval<'a> {
    /// The request.
    pub id: &'a str,
    /// Who approves.
    pub approver: &'a str,
    /// A new id for the grant.
    pub jti: &'a str,
    /// The digest of the request as the approver was shown it.
    pub digest: &'a str,
}

/// What became of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    /// The grant runs.
    Done,
    /// The request is not what the approver was shown.
    OtherDigest,
}

impl Store {
    /// Approves a pending request, if it is what the approver was shown: from now on its grant runs.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending.
    pub async fn approve(
        &self,
        now: Moment,
        approval: &Approval<'_>,
    ) -> Result<Approved, StoreError> {
        let mut transaction = self.write().await?;
        let request: Option<Request> = sqlx::query_as(select_requests!("WHERE id = ?2"))
            .bind(now.seconds())
            .bind(approval.id)
            .fetch_optional(&mut *transaction)
            .await?;
        let request = request.ok_or(StoreError::RowsAffected(0))?;
        if request.state == State::Pending && request.digest() != approval.digest {
            transaction.rollback().await?;
            return Ok(Approved::OtherDigest);
        }
        // For the database's own rule against self-approval.
        folded_names::keep(&mut transaction, &[approval.approver]).await?;
        let result = sqlx::query(
            "UPDATE requests
             SET approved_at = ?2, approved_by = ?3, jti = ?4, expires_at = ?2 + duration_s
             WHERE id = ?1 AND lapses_at > ?2 AND submitted_at <= ?2 + 5 AND lapsed_at IS NULL
               AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL",
        )
        .bind(approval.id)
        .bind(now.seconds())
        .bind(approval.approver)
        .bind(approval.jti)
        .execute(&mut *transaction)
        .await?;
        exactly_one(&result)?;
        let entry = Entry {
            actor: approval.approver,
            action: Action::Approve,
            request_id: approval.id,
            jti: Some(approval.jti),
        };
        let detail = json!({ "digest": approval.digest, "scope_digests": request.scope_digests });
        append(&mut transaction, now, &entry, &detail).await?;
        transaction.commit().await?;
        Ok(Approved::Done)
    }

    /// Denies a pending request.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending.
    pub async fn deny(
        &self,
        now: Moment,
        id: &str,
        approver: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        folded_names::keep(&mut transaction, &[approver]).await?;
        let result = sqlx::query(
            "UPDATE requests SET denied_at = ?2, denied_by = ?3, denial_reason = ?4
             WHERE id = ?1 AND lapses_at > ?2 AND submitted_at <= ?2 + 5 AND lapsed_at IS NULL
               AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL",
        )
        .bind(id)
        .bind(now.seconds())
        .bind(approver)
        .bind(reason)
        .execute(&mut *transaction)
        .await?;
        exactly_one(&result)?;
        let entry = Entry { actor: approver, action: Action::Deny, request_id: id, jti: None };
        append(&mut transaction, now, &entry, &json!({ "reason": reason })).await?;
        transaction.commit().await
    }

    /// Takes back a pending request.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if it is not pending, or not this person's.
    pub async fn cancel(&self, now: Moment, id: &str, requester: &str) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let result = sqlx::query(
            "UPDATE requests SET cancelled_at = ?2
             WHERE id = ?1 AND requester = ?3 AND lapses_at > ?2 AND submitted_at <= ?2 + 5 AND lapsed_at IS NULL
               AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL",
        )
        .bind(id)
        .bind(now.seconds())
        .bind(requester)
        .execute(&mut *transaction)
        .await?;
        exactly_one(&result)?;
        let entry = Entry { actor: requester, action: Action::Cancel, request_id: id, jti: None };
        append(&mut transaction, now, &entry, &json!({})).await?;
        transaction.commit().await
    }
}
