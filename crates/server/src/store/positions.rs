//! The locked row: places in the order of commits. A change that takes one holds the row until it is committed, so the
//! next change gets its place, and is seen, after this one. Nothing else orders them: not the database's sequences, and not
//! that SQLite has one writer at a time.

use sqlx::SqliteConnection;

use super::StoreError;

/// Places for events.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Places {
    /// The last of them.
    #[sqlx(rename = "event")]
    pub(super) last: i64,
    /// The hash of the last event before them; none before the chain has begun.
    pub(super) head: Option<String>,
    /// A new id for an event.
    pub(super) id: String,
    /// The next place among the events of the request.
    pub(super) request_seq: i64,
}

/// Takes so many places for events, of this request if there is one: the number and the request are SQL.
macro_rules! take_places {
    ($count:literal, $request:literal) => {
        concat!(
            "UPDATE positions SET event = event + ",
            $count,
            " RETURNING event, head, 'evt_' || lower(hex(randomblob(16))) AS id,
                 (SELECT coalesce(max(request_seq), 0) + 1 FROM events WHERE request_id = ",
            $request,
            ") AS request_seq"
        )
    };
}
pub(super) use take_places;

impl Places {
    /// The hash of the last event before them.
    pub(super) fn head(&self) -> Result<&str, StoreError> {
        self.head.as_deref().ok_or(StoreError::NoHead)
    }
}

/// Takes so many places for events, of this request if there is one.
pub(super) async fn take_events(
    connection: &mut SqliteConnection,
    count: i64,
    request: Option<&str>,
) -> Result<Places, StoreError> {
    Ok(sqlx::query_as(take_places!("?1", "?2"))
        .bind(count)
        .bind(request)
        .fetch_one(connection)
        .await?)
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
