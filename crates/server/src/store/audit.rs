//! The audit trail: one row for each change of state, in the same transaction.

use breakglass_api::evidence::Action;
use serde_json::Value;
use sqlx::SqliteConnection;

use super::{Store, StoreError, exactly_one};
use crate::clock::Moment;

/// Who did what to which request.
pub(super) struct Entry<'a> {
    pub(super) actor: &'a str,
    pub(super) action: Action,
    pub(super) request_id: &'a str,
    pub(super) jti: Option<&'a str>,
}

/// How many rows of the trail are looked at in one go.
const CHANGES: i64 = 1000;

impl Store {
    /// The number of the trail's last row; 0 without one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn last_change(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM audit")
            .fetch_one(&self.lookups)
            .await?)
    }

    /// What follows this row of the trail, submissions apart: the number of each row, and its request.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn changes_after(&self, seq: i64) -> Result<Vec<(i64, String)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT seq, request_id FROM audit
             WHERE seq > ?1 AND action <> 'submit' ORDER BY seq LIMIT ?2",
        )
        .bind(seq)
        .bind(CHANGES)
        .fetch_all(&self.lookups)
        .await?)
    }
}

/// Appends a row.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    now: Moment,
    entry: &Entry<'_>,
    detail: &Value,
) -> Result<(), StoreError> {
    let result = sqlx::query(
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(now.millis())
    .bind(entry.actor)
    .bind(entry.action.word())
    .bind(entry.request_id)
    .bind(entry.jti)
    .bind(detail.to_string())
    .execute(connection)
    .await?;
    exactly_one(&result)
}

/// Appends a row for each revocation after the epoch `after`, and returns how many.
pub(super) async fn append_revocations(
    connection: &mut SqliteConnection,
    now: Moment,
    after: i64,
    actor: &str,
    detail: &Value,
) -> Result<u64, StoreError> {
    let result = sqlx::query(
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail)
         SELECT ?1, ?2, 'revoke', requests.id, jti, json_set(?3, '$.epoch', epoch)
         FROM revocations JOIN requests USING (jti)
         WHERE epoch > ?4 ORDER BY epoch",
    )
    .bind(now.millis())
    .bind(actor)
    .bind(detail.to_string())
    .bind(after)
    .execute(connection)
    .await?;
    Ok(result.rows_affected())
}

#[cfg(test)]
mod tests {
    use breakglass_api::words::Vocabulary as _;

    use super::*;

    // Relies on INVARIANT (actions).
    #[test]
    fn the_database_takes_these_words_and_no_others() {
        let migration =
            include_str!("../../migrations/20261122000000_requests_revocations_audit.sql");
        let list = migration.split("action IN (").nth(1).unwrap().split(')').next().unwrap();
        let words: Vec<&str> = list.split(", ").map(|word| word.trim_matches('\'')).collect();
        let all: Vec<&str> = Action::ALL.iter().map(|action| action.word()).collect();
        assert_eq!(words, all);
    }
}
