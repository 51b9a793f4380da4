//! Who holds or asks for something.

use std::collections::BTreeSet;

use super::row::json as names_json;
use super::{Store, StoreError};
use crate::clock::Moment;
use crate::limits::CLOCK_SKEW_S;

/// Who has a grant that can be revoked: the index `requests_by_end`.
const LIVE: &str = "SELECT requester FROM requests
     WHERE jti IS NOT NULL AND expires_at > ?1
       AND NOT EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)";

/// Who has a pending request: the index `requests_undecided`.
const UNDECIDED: &str = "SELECT requester FROM requests
     WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapses_at > ?1
       AND lapsed_at IS NULL";

impl Store {
    /// The people with a grant that is not over by `floor`, or with a pending request, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn holders(&self, floor: Moment, now: Moment) -> Result<Vec<String>, StoreError> {
        let mut holders = BTreeSet::new();
        // Each walks its index; in one statement the two would be merged in the order of names, and one of them
        // would read all requests that ever were.
        for (query, after) in
            [(LIVE, floor.seconds().saturating_sub(CLOCK_SKEW_S)), (UNDECIDED, now.seconds())]
        {
            let names: Vec<String> =
                sqlx::query_scalar(query).bind(after).fetch_all(&self.lookups).await?;
            holders.extend(names);
        }
        Ok(holders.into_iter().collect())
    }

    /// The ids of the pending requests of `people`.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn pending_of_people(
        &self,
        now: Moment,
        people: &[String],
    ) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT id FROM requests
             WHERE requester IN (SELECT value FROM json_each(?2)) AND lapses_at > ?1 AND lapsed_at IS NULL
               AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL
             ORDER BY id",
        )
        .bind(now.seconds())
        .bind(names_json(people))
        .fetch_all(&self.lookups)
        .await?)
    }
}
