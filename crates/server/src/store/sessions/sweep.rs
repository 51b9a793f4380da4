//! Codes and sessions go when they are of no use any more, a few at a time. What was done with them stays on the trail.

use crate::clock::Moment;
use crate::limits::{SESSION_IDLE_S, SESSION_LISTED_S, SESSION_S};
use crate::store::{Store, StoreError};

/// The most rows of each table that one step deletes: so long it holds up other changes.
const STEP: i64 = 100;

impl Store {
    /// Deletes some of the codes that no session is left of, and of the sessions that have been over for [`SESSION_LISTED_S`];
    /// returns whether there may be more.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it.
    pub async fn sweep_sessions(&self, now: Moment) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        // A second use of a code ends the session that it made, so it stays for as long as that can be live.
        let codes = sqlx::query(
            "DELETE FROM authorization_codes WHERE sha256 IN (
                 SELECT sha256 FROM authorization_codes WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )
        .bind(now.seconds().saturating_sub(SESSION_S))
        .bind(STEP)
        .execute(&mut *transaction)
        .await?;
        let sessions = sqlx::query(
            "DELETE FROM sessions WHERE id IN (
                 SELECT id FROM sessions WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2)
             AND NOT EXISTS (SELECT 1 FROM authorization_codes WHERE session = sessions.id)",
        )
        .bind(now.seconds().saturating_sub(SESSION_LISTED_S))
        .bind(STEP)
        .execute(&mut *transaction)
        .await?;
        // What they had at a provider goes at once.
        for statement in [
            "UPDATE authorization_codes SET provider_session = NULL WHERE provider_session IS NOT NULL AND expires_at <= ?1",
            "UPDATE sessions SET provider_session = NULL WHERE provider_session IS NOT NULL AND ends_at <= ?1",
        ] {
            sqlx::query(statement).bind(now.seconds()).execute(&mut *transaction).await?;
        }
        sqlx::query(
            "UPDATE sessions SET provider_session = NULL WHERE provider_session IS NOT NULL AND used_at <= ?1",
        )
        .bind(now.seconds().saturating_sub(SESSION_IDLE_S))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let step = STEP.unsigned_abs();
        Ok(codes.rows_affected() >= step || sessions.rows_affected() >= step)
    }
}
