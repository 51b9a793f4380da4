//! The audit trail: one row for each change of state, in the same transaction.

use breakglass_api::evidence::Action;
use sqlx::SqliteConnection;

use super::events::{OfRequest, Revocations};
use super::{StoreError, exactly_one};
use crate::clock::Moment;

/// Appends a row.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    now: Moment,
    of: &OfRequest<'_>,
) -> Result<(), StoreError> {
    let result = sqlx::query(
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(now.millis())
    .bind(of.actor)
    .bind(of.action.word())
    .bind(of.request)
    .bind(of.jti)
    .bind(of.detail.to_string())
    .execute(connection)
    .await?;
    exactly_one(&result)
}

/// Appends a row for each of these revocations.
pub(super) async fn append_revocations(
    connection: &mut SqliteConnection,
    now: Moment,
    of: &Revocations<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail)
         SELECT ?1, ?2, ?3, requests.id, jti, json_set(?4, '$.epoch', epoch)
         FROM revocations JOIN requests USING (jti)
         WHERE epoch > ?5 AND epoch <= ?6 ORDER BY epoch",
    )
    .bind(now.millis())
    .bind(of.actor)
    .bind(Action::Revoke.word())
    .bind(of.detail.to_string())
    .bind(of.after)
    .bind(of.last)
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use breakglass_api::words::Vocabulary as _;

    use super::*;

    // Relies on INVARIANT (actions).
    #[test]
    fn the_database_takes_these_words_and_no_others() {
        let migration = include_str!("../../migrations/20261127120000_grants.sql");
        let list = migration.split("action IN (").nth(1).unwrap().split(')').next().unwrap();
        let words: Vec<&str> =
            list.split(", ").map(|word| word.trim().trim_matches('\'')).collect();
        let all: Vec<&str> = Action::ALL.iter().map(|action| action.word()).collect();
        assert_eq!(words, all);
    }
}
