//! What a person held lately, or waits for.

use sqlx::SqliteExecutor;
use sqlx::types::Json;

use super::change::Change;
use super::{Store, StoreError};
use crate::access::rules::HeldTime;
use crate::clock::Moment;

/// For how long back held time counts, in seconds.
const COUNTS_S: i64 = 24 * 3600;

/// The longest time between a submission and the end of what comes of it, in seconds: a day of waiting, and one of a grant.
const LONGEST_S: i64 = 2 * 24 * 3600;

impl Change {
    /// What this person held in the last 24 hours, and what of theirs waits for a decision: each with its whole time, from the
    /// approval to the end. A grant that ended before that counts no more, and one whose token was not taken in time for
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn held_lately(
        &mut self,
        now: Moment,
        requester: &str,
    ) -> Result<Vec<HeldTime>, StoreError> {
        held_lately(&mut *self.0, now, requester).await
    }
}

impl Store {
    /// The same without a lock.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn held_lately(
        &self,
        now: Moment,
        requester: &str,
    ) -> Result<Vec<HeldTime>, StoreError> {
        held_lately(&self.lookups, now, requester).await
    }
}

async fn held_lately(
    database: impl SqliteExecutor<'_>,
    now: Moment,
    requester: &str,
) -> Result<Vec<HeldTime>, StoreError> {
    let since = now.seconds().saturating_sub(COUNTS_S);
    let rows: Vec<(Json<Vec<String>>, i64)> = sqlx::query_as(HELD_LATELY)
        .bind(requester)
        .bind(since.saturating_sub(LONGEST_S))
        .bind(since)
        .bind(now.seconds())
        .fetch_all(database)
        .await?;
    let held = rows.into_iter().map(|(Json(scopes), seconds)| HeldTime { scopes, seconds });
    Ok(held.collect())
}

/// The time by the scopes. Parameters: the person; since when requests can matter; since when time counts; now.
const HELD_LATELY: &str = "
    SELECT scopes, sum(seconds) FROM (
        SELECT coalesce(granted_scopes, scopes) AS scopes,
            CASE WHEN approved_at IS NULL THEN duration_s
                ELSE min(requests.expires_at, coalesce(revoked_at_ms / 1000, requests.expires_at)) - approved_at END AS seconds,
            CASE WHEN approved_at IS NULL THEN lapses_at
                ELSE min(requests.expires_at, coalesce(revoked_at_ms / 1000, requests.expires_at)) END AS ends_at
        FROM requests LEFT JOIN revocations USING (jti)
        WHERE requester = ?1 AND submitted_at > ?2
            AND denied_at IS NULL AND cancelled_at IS NULL
            AND (lapsed_at IS NULL OR revoked_at_ms IS NOT NULL)
            AND (approved_at IS NOT NULL OR lapses_at > ?4)
            AND (approved_at IS NULL OR activated_at IS NOT NULL OR activate_by IS NULL OR activate_by > ?4))
    WHERE ends_at > ?3 AND seconds > 0
    GROUP BY scopes ORDER BY scopes";
