//! Write transactions. A connection goes back to the pool only after its COMMIT or ROLLBACK has succeeded;
//! in every other case it is closed.
//!
//! SQLite ends a transaction by itself when the disk is full, and a failed COMMIT leaves one open: what
//! state a connection is in after a failure is not worth guessing. Closing it rolls back, and opening
//! another one takes about a millisecond.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};

use super::StoreError;
use super::fault::{Fault, fault};

/// Begins a transaction that has the write lock, and goes on with this statement. BEGIN IMMEDIATE succeeds on a read-only
/// connection; a statement that may write does not.
macro_rules! begin {
    ($then:expr) => {
        concat!("BEGIN IMMEDIATE; UPDATE _sqlx_migrations SET version = 0 WHERE 0;", $then)
    };
}
pub(super) use begin;

/// A transaction that has the write lock.
#[derive(Debug)]
pub(crate) struct Write {
    connection: PoolConnection<Sqlite>,
    /// COMMIT or ROLLBACK has succeeded.
    ended: bool,
}

impl Write {
    /// Takes the write lock: what the transaction then reads cannot be changed by another one before it
    /// writes.
    ///
    /// A connection that was opened while the file could not be written stays read-only for good, so it is
    /// closed and another one is tried. After as many as the pool has, it is the file that is read-only.
    pub(crate) async fn begin(pool: &SqlitePool) -> Result<Write, StoreError> {
        Ok(Write::begin_with(pool, || sqlx::query(begin!(""))).await?.0)
    }

    /// Takes the write lock as [`begin`](Write::begin) does, and reads a row in the same trip to the connection's thread:
    /// `batch` makes [`begin!`] with a statement that reads it.
    pub(super) async fn begin_with<'q>(
        pool: &SqlitePool,
        batch: impl Fn() -> Query<'q, Sqlite, SqliteArguments>,
    ) -> Result<(Write, Option<SqliteRow>), StoreError> {
        let mut left = pool.options().get_max_connections();
        loop {
            let mut write = Write { connection: pool.acquire().await?, ended: false };
            match batch().fetch_optional(&mut *write.connection).await {
                Ok(row) => return Ok((write, row)),
                Err(error) if left > 0 && fault(&error) == Some(Fault::ReadOnly) => {
                    left = left.saturating_sub(1);
                    write.connection.close_on_drop();
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes it last.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::query("COMMIT").execute(&mut *self.connection).await?;
        self.ended = true;
        Ok(())
    }

    /// Ends it without a change.
    pub(crate) async fn rollback(mut self) -> Result<(), StoreError> {
        sqlx::query("ROLLBACK").execute(&mut *self.connection).await?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// Whether a connection that was used may be used again: a ROLLBACK that sqlx queued for a transaction of
/// reads is done, and the transaction is over.
pub(crate) async fn reusable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}
