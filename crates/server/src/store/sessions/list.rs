//! Lists of sessions.

use super::{Session, select_sessions};
use crate::clock::Moment;
use crate::store::{Store, StoreError};

/// Which sessions.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionFilter<'a> {
    /// Of this account; of all where there is none.
    pub account: Option<&'a str>,
    /// Older than this one, by id.
    pub after: Option<&'a str>,
}

impl Store {
    /// The session with this id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        Ok(sqlx::query_as(select_sessions!("WHERE id = ?1"))
            .bind(id)
            .fetch_optional(&self.lookups)
            .await?)
    }

    /// These sessions, the newest first, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn sessions(
        &self,
        filter: SessionFilter<'_>,
        limit: i64,
    ) -> Result<Vec<Session>, StoreError> {
        // After every id.
        let after = filter.after.unwrap_or("\u{10ffff}");
        let query = match filter.account {
            Some(account) => sqlx::query_as(select_sessions!(
                "WHERE account = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
            ))
            .bind(account),
            None => sqlx::query_as(select_sessions!(
                "WHERE ?1 IS NULL AND id < ?2 ORDER BY id DESC LIMIT ?3"
            ))
            .bind(None::<&str>),
        };
        Ok(query.bind(after).bind(limit).fetch_all(&self.lists).await?)
    }

    /// The sessions that may have an access token at this moment.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn live_sessions(&self, now: Moment) -> Result<Vec<Session>, StoreError> {
        Ok(sqlx::query_as(select_sessions!("WHERE ends_at > ?1 AND ended_at IS NULL"))
            .bind(now.seconds())
            .fetch_all(&self.lookups)
            .await?)
    }
}
