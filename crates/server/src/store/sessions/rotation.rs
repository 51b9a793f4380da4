//! A refresh token is replaced by the next one with each use.

use super::{Session, select_sessions};
use crate::clock::Moment;
use crate::config::Digest;
use crate::store::{Change, Store, StoreError, exactly_one};

/// Tokens that a client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTokens {
    /// The SHA-256 of the refresh token.
    pub refresh_sha256: Digest,
    /// The SHA-256 of the access token.
    pub access_sha256: Digest,
    /// When the access token ends, in seconds.
    pub access_expires_at: i64,
}

impl Change {
    /// The session whose refresh tokens have this handle, as it stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn session_by_handle(
        &mut self,
        handle_sha256: &Digest,
    ) -> Result<Option<Session>, StoreError> {
        Ok(sqlx::query_as(select_sessions!("WHERE handle_sha256 = ?1"))
            .bind(handle_sha256.as_slice())
            .fetch_optional(&mut *self.0)
            .await?)
    }

    /// The current refresh token is used: these are its successor and another access token.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it, such as for a session that has ended.
    pub async fn rotate(
        &mut self,
        now: Moment,
        session: &str,
        tokens: &NewTokens,
    ) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE sessions SET used_at = ?2, previous_refresh_sha256 = refresh_sha256, previous_used_at_ms = ?3,
                 refresh_sha256 = ?4, previous_access_sha256 = access_sha256,
                 previous_access_expires_at = access_expires_at, access_sha256 = ?5, access_expires_at = ?6
             WHERE id = ?1",
        )
        .bind(session)
        .bind(now.seconds())
        .bind(now.millis())
        .bind(tokens.refresh_sha256.as_slice())
        .bind(tokens.access_sha256.as_slice())
        .bind(tokens.access_expires_at)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// The refresh token before the current one is used once more: these come in the place of what it got at first, which
    /// is void. When it was used first stays.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it, such as for a session that has ended.
    pub async fn replace_successor(
        &mut self,
        session: &str,
        tokens: &NewTokens,
    ) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE sessions SET refresh_sha256 = ?2, access_sha256 = ?3, access_expires_at = ?4 WHERE id = ?1",
        )
        .bind(session)
        .bind(tokens.refresh_sha256.as_slice())
        .bind(tokens.access_sha256.as_slice())
        .bind(tokens.access_expires_at)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }
}

impl Store {
    /// The session whose refresh tokens have this handle: looked for before a change takes the lock, so that a made-up token
    /// costs none.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn session_by_handle(
        &self,
        handle_sha256: &Digest,
    ) -> Result<Option<Session>, StoreError> {
        Ok(sqlx::query_as(select_sessions!("WHERE handle_sha256 = ?1"))
            .bind(handle_sha256.as_slice())
            .fetch_optional(&self.lookups)
            .await?)
    }
}
