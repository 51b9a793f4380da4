//! Where the chain of events ends.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnection;

/// A head of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailHead {
    /// The place of its event.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
}

impl TrailHead {
    /// Whether the trail in this database has it.
    pub(super) async fn is_in(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<bool, sqlx::Error> {
        let hash: Option<Option<String>> =
            sqlx::query_scalar("SELECT hash FROM events WHERE seq = ?1")
                .bind(self.seq)
                .fetch_optional(&mut *connection)
                .await?;
        if let Some(hash) = hash.flatten() {
            return Ok(hash == self.hash);
        }
        // The beginning of the chain: what its first link goes on from.
        let first: Option<String> = sqlx::query_scalar(
            "SELECT prev FROM events WHERE hash IS NOT NULL ORDER BY seq LIMIT 1",
        )
        .fetch_optional(connection)
        .await?;
        Ok(first.as_ref() == Some(&self.hash))
    }
}
