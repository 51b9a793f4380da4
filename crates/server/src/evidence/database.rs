//! Opens the file.

use std::path::Path;
use std::sync::PoisonError;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::{Evidence, EvidenceError, import};
use crate::store::write::reusable;
use crate::store::{BUSY_TIMEOUT, create_private};

/// How many pages of evidence are read at a time.
const READERS: u32 = 4;

/// The pools.
#[derive(Debug, Clone)]
pub(super) struct Database {
    /// One connection: SQLite has one writer, and those who wait for it wait in order.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl Database {
    async fn open(path: &Path) -> Result<Database, EvidenceError> {
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
        sqlx::migrate!("./migrations-evidence").run(&writer).await?;
        Ok(Database { writer, readers })
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Evidence {
    /// Opens the file, makes it if it is not there, brings its schema up to date, and copies what an earlier
    /// version kept in the main database. Until that is done, evidence is refused. Does nothing where it is open.
    /// Where the file was made, or the copy came to its end: the id of the last head that was copied.
    ///
    /// # Errors
    /// [`EvidenceError`] if that fails: it can be tried again, and goes on where it stopped.
    pub async fn open(&self) -> Result<Option<i64>, EvidenceError> {
        let _alone = self.opening.lock().await;
        if self.is_open() {
            return Ok(None);
        }
        let database = Database::open(&self.path).await?;
        let copied = match import::run(&database.writer, &self.main).await {
            Ok(copied) => copied,
            Err(error) => {
                database.close().await;
                return Err(error);
            }
        };
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        Ok(copied)
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.database().is_ok()
    }

    /// Closes it: what is under way ends first.
    pub async fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(database) = database {
            database.close().await;
        }
    }
}
