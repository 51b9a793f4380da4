//! What happens to a grant: its first token is taken, and it is revoked.

use serde_json::Value;

use super::batch::{self, Changes, change_request};
use super::change::{Change, Changed};
use super::row::select_requests;
use super::{Request, StoreError, positions};
use crate::clock::Moment;
use crate::limits::CLOCK_SKEW_S;

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

/// What one step of revocations did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The grants that it revoked, in the order of the feed; those that were revoked already are not among them.
    pub revoked: Vec<String>,
    /// The epoch before the first of them.
    pub after: i64,
    /// The latest epoch.
    pub epoch: i64,
}

impl Change {
    /// Notes that the first token of a grant is taken.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if there is no grant, or it was activated before.
    pub async fn activate(self, now: Moment, request: &Request) -> Result<Changed, StoreError> {
        let batch = sqlx::query(change_request!(
            "UPDATE requests SET activated_at = ?1
             WHERE id = ?2 AND jti IS NOT NULL AND activated_at IS NULL AND lapsed_at IS NULL;"
        ))
        .bind(now.seconds())
        .bind(&request.id);
        batch::changed(self, &[Changes::One], batch).await
    }

    /// The revocation of this grant, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn revocation(&mut self, jti: &str) -> Result<Option<Revoked>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT epoch, revoked_at_ms, revoked_by, reason, expires_at FROM revocations WHERE jti = ?1",
        )
        .bind(jti)
        .fetch_optional(&mut *self.0)
        .await?)
    }

    /// The requests whose grants this person holds, byte for byte, and that can be revoked: not over at `floor`, nor revoked.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn grants_of(
        &mut self,
        now: Moment,
        floor: Moment,
        holder: &str,
    ) -> Result<Vec<Request>, StoreError> {
        Ok(sqlx::query_as(select_requests!(
            "WHERE requester = ?2 AND jti IS NOT NULL AND expires_at > ?3 AND epoch IS NULL ORDER BY id"
        ))
        .bind(now.seconds())
        .bind(holder)
        .bind(floor.seconds().saturating_sub(CLOCK_SKEW_S))
        .fetch_all(&mut *self.0)
        .await?)
    }

    /// Revokes those of `chosen` that were not revoked meanwhile, in this order. A grant that is over is revoked too:
    /// whether it is over is a question to a clock, and ours may be wrong.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do all of it.
    pub async fn revoke(
        &mut self,
        now: Moment,
        chosen: &[String],
        actor: &str,
        reason: &str,
    ) -> Result<Step, StoreError> {
        let revoked: Vec<String> = sqlx::query_scalar(
            "SELECT chosen.value FROM json_each(?1) AS chosen
             WHERE NOT EXISTS (SELECT 1 FROM revocations WHERE jti = chosen.value)
             ORDER BY chosen.key",
        )
        .bind(Value::from(chosen).to_string())
        .fetch_all(&mut *self.0)
        .await?;
        let count = i64::try_from(revoked.len()).unwrap_or(i64::MAX);
        let after = positions::take_epochs(&mut self.0, count).await?;
        let result = sqlx::query(
            "INSERT INTO revocations (epoch, jti, revoked_at_ms, revoked_by, reason, expires_at)
             SELECT ?5 + row_number() OVER (ORDER BY chosen.key), jti, ?2, ?3, ?4, expires_at
             FROM json_each(?1) AS chosen JOIN requests ON requests.jti = chosen.value
             ORDER BY chosen.key",
        )
        .bind(Value::from(revoked.as_slice()).to_string())
        .bind(now.millis())
        .bind(actor)
        .bind(reason)
        .bind(after)
        .execute(&mut *self.0)
        .await?;
        if i64::try_from(result.rows_affected()) != Ok(count) {
            return Err(StoreError::RowsAffected(result.rows_affected()));
        }
        Ok(Step { revoked, after, epoch: after.saturating_add(count) })
    }
}
