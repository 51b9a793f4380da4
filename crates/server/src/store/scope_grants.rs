//! The grants of a scope whose time is over.

use super::{Store, StoreError};
use crate::clock::Moment;

/// Grants of a scope, of which a token was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverGrants {
    /// Their ids.
    pub grants: Vec<String>,
    /// There may be more.
    pub more: bool,
}

impl Store {
    /// The grants of a scope whose time was over between these instants, by when it was to be over, and of which a token was
    /// taken: at most `limit` of those that ran out and of those that were revoked.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn over_grants(
        &self,
        scope: &str,
        (since, until): (Moment, Moment),
        limit: i64,
    ) -> Result<OverGrants, StoreError> {
        let found: Vec<(String, bool)> = sqlx::query_as(
            "SELECT r.jti, r.activated_at IS NOT NULL
               AND EXISTS (SELECT 1 FROM json_each(coalesce(r.granted_scopes, r.scopes)) AS granted
                   WHERE granted.value = ?1)
             FROM (
                 SELECT * FROM (SELECT request_id FROM request_lists
                     WHERE list = 'scope ' || ?1 AND phase = 'active' AND ends_at BETWEEN ?2 AND ?3
                     ORDER BY ends_at DESC LIMIT ?4) AS ran_out
                 UNION ALL
                 SELECT * FROM (SELECT request_id FROM request_lists
                     WHERE list = 'scope ' || ?1 AND phase = 'revoked' AND ends_at BETWEEN ?2 AND ?3
                     ORDER BY request_id DESC LIMIT ?4) AS revoked
             ) AS over JOIN requests r ON r.id = over.request_id
             WHERE r.jti IS NOT NULL",
        )
        .bind(scope)
        .bind(since.seconds())
        .bind(until.seconds())
        .bind(limit.saturating_add(1))
        .fetch_all(&self.lists)
        .await?;
        let room = usize::try_from(limit).unwrap_or(usize::MAX);
        // Those whose requester took no token, or whose approver left the scope out, have no uses of it.
        let more = found.len() > room;
        let grants = found.into_iter().filter_map(|(jti, counts)| counts.then_some(jti));
        Ok(OverGrants { grants: grants.take(room).collect(), more })
    }
}
