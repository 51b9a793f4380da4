//! Grants that end by themselves: which of them the requester is to be told of, and that it was told.

use serde_json::Value;
use sqlx::SqliteConnection;

use super::change::Change;
use super::{Request, Store, StoreError, exactly_one};
use crate::clock::Moment;

/// How long before its end the requester of a grant is told, in seconds.
const REMIND_S: i64 = 5 * 60;

/// Of a grant that lasts no longer than this, in seconds, its end alone is told.
const SHORT_S: i64 = 10 * 60;

/// The ids of requests whose requesters are to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Their grants end soon.
    pub ending: Vec<String>,
    /// Their grants are over; of those that were revoked nothing is told.
    pub over: Vec<String>,
}

impl Ends {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ending.is_empty() && self.over.is_empty()
    }
}

impl Store {
    /// The grants that end soon, or are over, and of which that was not noted, at most `limit` of each.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn ends(&self, now: Moment, limit: i64) -> Result<Ends, StoreError> {
        let mut connection = self.lookups.acquire().await?;
        ends(&mut connection, now, limit).await
    }
}

async fn ends(
    connection: &mut SqliteConnection,
    now: Moment,
    limit: i64,
) -> Result<Ends, StoreError> {
    // Used, with five minutes left or less, of those that last longer than ten: none that was revoked, or whose extension
    // holds for longer than it does.
    let ending = sqlx::query_scalar(
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
    .fetch_all(&mut *connection)
    .await?;
    // One that was not activated in time has lapsed.
    let over = sqlx::query_scalar(
        "SELECT id FROM requests
         WHERE jti IS NOT NULL AND lapsed_at IS NULL AND expired_at IS NULL AND expires_at <= ?1
           AND (activated_at IS NOT NULL OR activate_by IS NULL)
         LIMIT ?2",
    )
    .bind(now.seconds())
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    Ok(Ends { ending, over })
}

impl Change {
    /// As [`Store::ends`], and so it stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn ends(&mut self, now: Moment, limit: i64) -> Result<Ends, StoreError> {
        ends(&mut self.0, now, limit).await
    }

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
