//! How many emergency grants a person had lately.

use sqlx::SqliteExecutor;

use super::change::Change;
use super::{Store, StoreError};
use crate::access::rules::EmergenciesLately;
use crate::clock::Moment;

/// For how long back a grant counts, in seconds.
const COUNTS_S: i64 = 24 * 3600;

impl Change {
    /// How many emergency grants this person has had of each scope in the last 24 hours: also those that an approver had to
    /// approve, that ended early, and whose token was never taken.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn emergencies_lately(
        &mut self,
        now: Moment,
        requester: &str,
    ) -> Result<EmergenciesLately, StoreError> {
        emergencies_lately(&mut *self.0, now, requester).await
    }
}

impl Store {
    /// The same without a lock.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn emergencies_lately(
        &self,
        now: Moment,
        requester: &str,
    ) -> Result<EmergenciesLately, StoreError> {
        emergencies_lately(&self.lookups, now, requester).await
    }
}

async fn emergencies_lately(
    database: impl SqliteExecutor<'_>,
    now: Moment,
    requester: &str,
) -> Result<EmergenciesLately, StoreError> {
    let since = now.seconds().saturating_sub(COUNTS_S);
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT named.value, count(*) FROM requests JOIN json_each(granted_scopes) AS named
         WHERE requester = ?1 AND approved_at > ?2 AND basis = 'emergency'
         GROUP BY named.value",
    )
    .bind(requester)
    .bind(since)
    .fetch_all(database)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|(scope, count)| (scope, usize::try_from(count).unwrap_or(usize::MAX))).collect())
}
