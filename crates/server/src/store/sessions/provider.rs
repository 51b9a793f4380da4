//! What is kept, sealed, of the sessions at identity providers that people's sessions here began with.

use breakglass_types::hex;

use crate::clock::Moment;
use crate::config::Digest;
use crate::limits::SESSION_IDLE_S;
use crate::store::{Change, Store, StoreError};

/// To what the session at a provider is bound while there is a code and no session yet.
#[must_use]
pub fn code_context(code_sha256: &Digest) -> String {
    format!("code {}", hex::lower(code_sha256))
}

/// A session with what is kept of the one at the provider.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ProviderSessionRow {
    /// The session's id, to which it is bound.
    pub id: String,
    /// The session at the provider, sealed.
    pub provider_session: Vec<u8>,
}

impl Store {
    /// What is kept of this account's live sessions, the newest first, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn provider_sessions(
        &self,
        now: Moment,
        account: &str,
        limit: i64,
    ) -> Result<Vec<ProviderSessionRow>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, provider_session FROM sessions
             WHERE account = ?1 AND provider_session IS NOT NULL AND ended_at IS NULL AND ends_at > ?2 AND used_at > ?3
             ORDER BY id DESC LIMIT ?4",
        )
        .bind(account)
        .bind(now.seconds())
        .bind(now.seconds().saturating_sub(SESSION_IDLE_S))
        .bind(limit)
        .fetch_all(&self.lookups)
        .await?)
    }
}

impl Change {
    /// Keeps the session at the provider as it is now; of a session that has ended meanwhile nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn keep_provider_session(
        &mut self,
        session: &str,
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET provider_session = ?2 WHERE id = ?1 AND ended_at IS NULL")
            .bind(session)
            .bind(sealed)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }
}
