//! The locked row: places in the order of commits. A change that takes one holds the row until it is committed, so the
//! next change gets its place, and is seen, after this one. Nothing else orders them: not the database's sequences, and not
//! that SQLite has one writer at a time.

use sqlx::SqliteConnection;

use super::StoreError;

/// Places for events.
#[derive(Debug)]
pub(super) struct Places {
    /// The last of them.
    pub(super) last: i64,
    /// The hash of the last event before them.
    pub(super) head: String,
    /// A new id for an event.
    pub(super) id: String,
    /// The next place among the events of the request.
    pub(super) request_seq: i64,
}

/// Takes so many places for events, of this request if there is one.
pub(super) async fn take_events(
    connection: &mut SqliteConnection,
    count: i64,
    request: Option<&str>,
) -> Result<Places, StoreError> {
    let (last, head, id, request_seq): (i64, Option<String>, String, i64) = sqlx::query_as(
        "UPDATE positions SET event = event + ?1 RETURNING event, head, 'evt_' || lower(hex(randomblob(16))),
             (SELECT coalesce(max(request_seq), 0) + 1 FROM events WHERE request_id = ?2)",
    )
    .bind(count)
    .bind(request)
    .fetch_one(connection)
    .await?;
    Ok(Places { last, head: head.ok_or(StoreError::NoHead)?, id, request_seq })
}

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
