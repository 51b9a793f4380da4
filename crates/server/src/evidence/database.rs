//! The file, open.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::EvidenceError;
use crate::store::write::reusable;
use crate::store::{BUSY_TIMEOUT, create_private};

/// How many pages of evidence are read at a time.
const READERS: u32 = 4;

/// What brings the schema up to date.
pub(crate) fn migrations() -> Migrator {
    sqlx::migrate!("./migrations-evidence")
}

/// The pools.
#[derive(Debug, Clone)]
pub(super) struct Database {
    /// One connection: SQLite has one writer, and those who wait for it wait in order.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl Database {
    pub(super) async fn open(path: &Path) -> Result<Database, EvidenceError> {
        create_private(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A head that was taken must survive a power cut: the proxy does not report it again.
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
        Ok(Database { writer, readers })
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
