//! Grants that end by themselves: which of them the requester is to be told of, and that it was told.

use serde_json::Value;

use super::change::Change;
use super::{Request, Store, StoreError, exactly_one};
use crate::clock::Moment;

/// How long before its end the requester of a grant is told, in seconds.
const REMIND_S: i64 = 5 * 60;

/// Of a grant that lasts no longer than this, in seconds, its end alone is told.
const SHORT_S: i64 = 10 * 60;

impl Store {
    /// The ids of requests whose grants are used and have five minutes left or less, of those that last longer than ten,
    /// at most `limit`. None that was told already, that was revoked, or whose extension holds for longer than it does.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn ending(&self, now: Moment, limit: i64) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT id FROM requests
             WHERE activated_at IS NOT NULL AND reminded_at IS NULL AND expired_at IS NULL
               AND expires_at > ?1 AND expires_at <= ?1 + ?3 AND expires_at > approved_at + ?4
               AND NOT EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)
               AND NOT EXISTS (
                   SELECT 1 FROM requests AS later
                   WHERE later.extends = requests.id AND later.expires_at > requests.expires_at
                     AND later.lapsed_at IS NULL AND (later.activated_at IS NOT NULL OR later.activate_by > ?1)
                     AND NOT EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = later.jti))
             LIMIT ?2",
        )
        .bind(now.seconds())
        .bind(limit)
        .bind(REMIND_S)
        .bind(SHORT_S)
        .fetch_all(&self.lookups)
        .await?)
    }

    /// The ids of requests whose grants are over and were not noted as that, revoked ones too, at most `limit`. A grant that
    /// was not activated in time has lapsed.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn over(&self, now: Moment, limit: i64) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT id FROM requests
             WHERE jti IS NOT NULL AND lapsed_at IS NULL AND expired_at IS NULL AND expires_at <= ?1
               AND (activated_at IS NOT NULL OR activate_by IS NULL)
             LIMIT ?2",
        )
        .bind(now.seconds())
        .bind(limit)
        .fetch_all(&self.lookups)
        .await?)
    }
}

impl Change {
    /// Notes that the requester is told of the end that comes.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if that was noted before, or the end itself was.
    pub async fn remind(&mut self, now: Moment, request: &Request) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE requests SET reminded_at = ?2
             WHERE id = ?1 AND activated_at IS NOT NULL AND reminded_at IS NULL AND expired_at IS NULL",
        )
        .bind(&request.id)
        .bind(now.seconds())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Notes that the requester is told that the grant is over.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if that was noted before.
    pub async fn expire(&mut self, now: Moment, request: &Request) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE requests SET expired_at = ?2
             WHERE id = ?1 AND jti IS NOT NULL AND lapsed_at IS NULL AND expired_at IS NULL",
        )
        .bind(&request.id)
        .bind(now.seconds())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Notes that those of these grants are over that were revoked before: nothing is told of them. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn note_revoked(&mut self, ids: &[String]) -> Result<u64, StoreError> {
        let result = sqlx::query(
            "UPDATE requests SET expired_at = 0
             WHERE id IN (SELECT value FROM json_each(?1)) AND lapsed_at IS NULL AND expired_at IS NULL
               AND EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)",
        )
        .bind(Value::from(ids).to_string())
        .execute(&mut *self.0)
        .await?;
        Ok(result.rows_affected())
    }
}
