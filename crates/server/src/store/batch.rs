//! Several statements in one trip to the connection's thread: a trip costs more than what SQLite does there.

use futures_util::TryStreamExt as _;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Either, Executor as _, FromRow as _, Sqlite};

use super::change::{Change, Changed};
use super::positions::Places;
use super::{Request, StoreError};

/// How many rows a statement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changes {
    /// As many as there are.
    Any,
    /// One; the batch fails with another number.
    One,
}

/// These statements, which change a request, and after them those that take the place of the event and select the request
/// as it is then: parameter 1 is the moment in seconds, 2 the request's id.
macro_rules! change_request {
    ($changes:expr) => {
        concat!(
            $changes,
            $crate::store::positions::take_places!("1", "?2"),
            ";",
            $crate::store::row::select_requests!("WHERE id = ?2")
        )
    };
}
pub(super) use change_request;

/// Carries out a batch of [`change_request!`], whose statements before the last two make these changes.
///
/// # Errors
/// [`StoreError::RowsAffected`] if a statement did not change as many rows as it should; then the transaction is over, and
/// nothing has changed.
pub(super) async fn changed(
    mut change: Change,
    changes: &[Changes],
    batch: Query<'_, Sqlite, SqliteArguments>,
) -> Result<Changed, StoreError> {
    let mut left = changes.iter();
    let (mut place, mut request) = (None, None);
    let mut steps = change.0.fetch_many(batch);
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Right(row) if left.len() > 0 => drop(row),
            Either::Right(row) if place.is_none() => place = Some(Places::from_row(&row)?),
            Either::Right(row) => request = Some(Request::from_row(&row)?),
            Either::Left(result) => match (left.next(), result.rows_affected()) {
                (Some(Changes::One), 1) | (Some(Changes::Any) | None, _) => {}
                (_, other) => return Err(StoreError::RowsAffected(other)),
            },
        }
    }
    drop(steps);
    match (place, request) {
        (Some(place), Some(request)) => Ok(Changed { change, request, place }),
        _ => Err(StoreError::RowsAffected(0)),
    }
}
