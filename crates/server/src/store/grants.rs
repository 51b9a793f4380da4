//! What happens to a grant: tokens are issued for it, and it is revoked.

use breakglass_api::evidence::Action;
use serde_json::json;

use super::audit::{Entry, append};
use super::{Request, Store, StoreError};
use crate::clock::Moment;

/// A revocation as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Revoked {
    /// Its place in the feed: it only grows.
    pub epoch: i64,
    /// When, in milliseconds.
    pub revoked_at_ms: i64,
    /// By whom.
    pub revoked_by: String,
    /// Why.
    pub reason: String,
    /// When the grant would have ended.
    pub expires_at: i64,
}

impl Store {
    /// Writes down that a token of this grant is issued to its holder.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if the grant does not hold any more.
    pub async fn issue_token(
        &self,
        now: Moment,
        request: &Request,
        kid: &str,
    ) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let holds: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM requests
             WHERE id = ?1 AND approved_at <= ?2 + 5 AND expires_at > ?2
               AND jti NOT IN (SELECT jti FROM revocations)",
        )
        .bind(&request.id)
        .bind(now.seconds())
        .fetch_one(&mut *transaction)
        .await?;
        if holds != 1 {
            return Err(StoreError::RowsAffected(0));
        }
        let entry = Entry {
            actor: &request.requester,
            action: Action::IssueToken,
            request_id: &request.id,
            jti: request.jti.as_deref(),
        };
        append(&mut transaction, now, &entry, &json!({ "kid": kid })).await?;
        transaction.commit().await
    }

    /// Revokes a grant; a second time, tells of the first, and `false`. A grant that is over is revoked too:
    /// whether it is over is a question to a clock, and ours may be wrong.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if the grant is unknown.
    pub async fn revoke(
        &self,
        now: Moment,
        jti: &str,
        actor: &str,
        reason: &str,
    ) -> Result<(Revoked, bool), StoreError> {
        let mut transaction = self.write().await?;
        let earlier: Option<Revoked> = sqlx::query_as("SELECT * FROM revocations WHERE jti = ?1")
            .bind(jti)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(earlier) = earlier {
            transaction.rollback().await?;
            return Ok((earlier, false));
        }
        let revoked: Option<Revoked> = sqlx::query_as(
            "INSERT INTO revocations (jti, revoked_at_ms, revoked_by, reason, expires_at)
             SELECT jti, ?2, ?3, ?4, expires_at FROM requests
             WHERE jti = ?1
             RETURNING *",
        )
        .bind(jti)
        .bind(now.millis())
        .bind(actor)
        .bind(reason)
        .fetch_optional(&mut *transaction)
        .await?;
        let revoked = revoked.ok_or(StoreError::RowsAffected(0))?;
        let request_id: String = sqlx::query_scalar("SELECT id FROM requests WHERE jti = ?1")
            .bind(jti)
            .fetch_one(&mut *transaction)
            .await?;
        let entry =
            Entry { actor, action: Action::Revoke, request_id: &request_id, jti: Some(jti) };
        let detail = json!({ "reason": reason, "epoch": revoked.epoch });
        append(&mut transaction, now, &entry, &detail).await?;
        transaction.commit().await?;
        Ok((revoked, true))
    }
}
