//! Several statements in one trip to the connection's thread: a trip costs more than what SQLite does there.

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Either, Executor as _, FromRow as _, Sqlite, SqliteConnection};

use super::{Request, StoreError};

/// How many rows a statement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changes {
    /// As many as there are.
    Any,
    /// One; the batch fails with another number.
    One,
}

/// Carries out these changes, one for each statement, and then the last statement: it selects the request as they have made
/// it.
///
/// # Errors
/// [`StoreError::RowsAffected`] if a statement did not change as many rows as it should; then the transaction must not be
/// committed.
pub(super) async fn changed(
    connection: &mut SqliteConnection,
    changes: &[Changes],
    batch: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
) -> Result<Request, StoreError> {
    let mut left = changes.iter();
    let mut steps = connection.fetch_many(batch);
    while let Some(step) = steps.try_next().await? {
        match (step, left.len()) {
            (Either::Right(row), 0) => return Ok(Request::from_row(&row)?),
            (Either::Right(_), _) => {}
            (Either::Left(result), _) => match (left.next(), result.rows_affected()) {
                (Some(Changes::One), 1) | (Some(Changes::Any), _) => {}
                (_, other) => return Err(StoreError::RowsAffected(other)),
            },
        }
    }
    Err(StoreError::RowsAffected(0))
}
