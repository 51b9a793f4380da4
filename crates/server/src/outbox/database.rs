//! The file of deliveries, open.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::store::write::{Write, reusable};
use crate::store::{BUSY_TIMEOUT, StoreError, check_space, create_private};

/// How many questions are answered at a time.
const READERS: u32 = 2;

/// What brings the schema up to date.
fn migrations() -> Migrator {
    sqlx::migrate!("./migrations-outbox")
}

/// The pools.
#[derive(Debug, Clone)]
pub(super) struct Database {
    /// One connection: SQLite has one writer, and those who wait for it wait in order.
    writer: SqlitePool,
    pub(super) readers: SqlitePool,
    path: std::path::PathBuf,
}

impl Database {
    pub(super) async fn open(path: &Path) -> Result<Database, StoreError> {
        create_private(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What a receiver took must not be sent again after each power cut, nor what was read be read as new.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("temp_store", "MEMORY");
        let pool = |connections: u32| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY_TIMEOUT)
                .after_release(|connection, _| Box::pin(reusable(connection)))
        };
        let readers = pool(READERS).connect_lazy_with(options.clone());
        let writer = pool(1).connect_with(options).await?;
        migrations().run(&writer).await?;
        Ok(Database { writer, readers, path: path.to_owned() })
    }

    /// Begins a change.
    pub(super) async fn write(&self) -> Result<Write, StoreError> {
        check_space(&self.path)?;
        Write::begin(&self.writer).await
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
