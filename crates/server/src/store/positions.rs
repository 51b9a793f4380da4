//! The locked row: places in the order of commits. A change that takes one holds the row until it is committed, so the
//! next change gets its place, and is seen, after this one. Nothing else orders them: not the database's sequences, and not
//! that SQLite has one writer at a time.

use sqlx::SqliteConnection;

use super::StoreError;

/// Takes so many places for events: `positions.event` is the last of them.
macro_rules! take_events {
    ($count:literal) => {
        concat!("UPDATE positions SET event = event + (", $count, ");")
    };
}
pub(super) use take_events;

/// Takes so many epochs of the feed, and returns the last one before them.
pub(super) async fn take_epochs(
    connection: &mut SqliteConnection,
    count: i64,
) -> Result<i64, StoreError> {
    let last: i64 = sqlx::query_scalar("UPDATE positions SET epoch = epoch + ?1 RETURNING epoch")
        .bind(count)
        .fetch_one(connection)
        .await?;
    Ok(last.saturating_sub(count))
}
