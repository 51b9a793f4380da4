//! Sessions that are ended before their time.

use super::{Session, select_sessions};
use crate::clock::Moment;
use crate::limits::SESSION_IDLE_S;
use crate::store::{Change, StoreError, exactly_one};

/// Why a session is ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// Its owner ended it.
    SignedOut,
    /// An administrator ended it.
    Administrator,
    /// Its authorization code was used a second time.
    CodeReused,
    /// A refresh token was used that had been used before, or had become void.
    RefreshTokenReused,
    /// A person who has a token of it ended it (RFC 7009).
    RevokedByToken,
    /// Its owner signed in once more, and has as many sessions as may be.
    TooMany,
    /// The identity provider said that its session there is over.
    Provider,
    /// The configuration does not know its identity provider any more.
    ProviderRemoved,
    /// The database was replaced by a backup: whether it was ended since is not known.
    Restored,
}

impl SessionEnd {
    /// The word for it, in the database, on the trail and in the interface.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            SessionEnd::SignedOut => "signed_out",
            SessionEnd::Administrator => "ended_by_administrator",
            SessionEnd::CodeReused => "code_reused",
            SessionEnd::RefreshTokenReused => "refresh_token_reused",
            SessionEnd::RevokedByToken => "revoked_by_token",
            SessionEnd::TooMany => "too_many_sessions",
            SessionEnd::Provider => "ended_by_provider",
            SessionEnd::ProviderRemoved => "provider_removed",
            SessionEnd::Restored => "restored",
        }
    }
}

impl Change {
    /// The session with this id, as it stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn session(&mut self, id: &str) -> Result<Option<Session>, StoreError> {
        Ok(sqlx::query_as(select_sessions!("WHERE id = ?1"))
            .bind(id)
            .fetch_optional(&mut *self.0)
            .await?)
    }

    /// The live sessions of this account but for the newest `kept`, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn sessions_beyond(
        &mut self,
        now: Moment,
        account: &str,
        kept: i64,
    ) -> Result<Vec<Session>, StoreError> {
        let mut beyond: Vec<Session> = sqlx::query_as(select_sessions!(
            "WHERE account = ?1 AND ended_at IS NULL AND ends_at > ?2 AND used_at > ?3 ORDER BY id DESC LIMIT -1 OFFSET ?4"
        ))
        .bind(account)
        .bind(now.seconds())
        .bind(now.seconds().saturating_sub(SESSION_IDLE_S))
        .bind(kept)
        .fetch_all(&mut *self.0)
        .await?;
        beyond.reverse();
        Ok(beyond)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it, such as for one that was ended.
    pub async fn end_session(
        &mut self,
        now: Moment,
        id: &str,
        by: &str,
        why: SessionEnd,
    ) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE sessions SET ended_at = ?2, ended_by = ?3, end_reason = ?4, provider_session = NULL WHERE id = ?1",
        )
        .bind(id)
        .bind(now.seconds())
        .bind(by)
        .bind(why.word())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Ends all sessions that may be live, and makes all codes void; returns how many sessions these were.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it.
    pub async fn end_all_sessions(
        &mut self,
        now: Moment,
        by: &str,
        why: SessionEnd,
    ) -> Result<u64, StoreError> {
        sqlx::query("DELETE FROM authorization_codes WHERE expires_at > ?1")
            .bind(now.seconds())
            .execute(&mut *self.0)
            .await?;
        let result = sqlx::query(
            "UPDATE sessions SET ended_at = ?1, ended_by = ?2, end_reason = ?3, provider_session = NULL
             WHERE ends_at > ?1 AND ended_at IS NULL",
        )
        .bind(now.seconds())
        .bind(by)
        .bind(why.word())
        .execute(&mut *self.0)
        .await?;
        Ok(result.rows_affected())
    }
}
