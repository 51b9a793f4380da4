//! What is done to the databases from outside of the service: backups while it runs, and repairs while it does not.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::event::{Kept, read_all};
use super::{BUSY_TIMEOUT, StoreError, create_private};
use crate::clock::{Clock as _, Moment, SystemClock};
use crate::config::Config;
use crate::database_lock::{DatabaseLock, NotLocked};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The service runs, or the lock cannot be had.
    #[error(transparent)]
    NotLocked(#[from] NotLocked),
    /// A file or directory cannot be made.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database did not do it.
    #[error("{path}: {error}", path = .path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        error: sqlx::Error,
    },
    /// The database is not what was expected.
    #[error("{path}: {error}", path = .path.display())]
    Store {
        /// Which.
        path: PathBuf,
        /// Why.
        error: StoreError,
    },
    /// The backup cannot be restored.
    #[error("{what}")]
    Restore {
        /// Why, and what to do.
        what: String,
    },
    /// The heads are only in the main database.
    #[error(
        "{path}: expected every head of the main database in it, got a copy that is not done: start the service once, \
         wait for `copied` in its log, and stop it", path = .path.display()
    )]
    NotCopied {
        /// The evidence database.
        path: PathBuf,
    },
}

impl MaintenanceError {
    pub(super) fn of(path: &Path, error: StoreError) -> MaintenanceError {
        MaintenanceError::Store { path: path.to_owned(), error }
    }
}

/// Copies the databases of a service, which may run, into a new directory for its owner alone. Each copy is of one
/// moment.
///
/// # Errors
/// [`MaintenanceError`] if the directory is there, or something cannot be read or written.
pub async fn backup(config: &Config, to: &Path) -> Result<Vec<PathBuf>, MaintenanceError> {
    let file = |path: &Path, error| MaintenanceError::File { path: path.to_owned(), error };
    // Before anything is made, so that a failure leaves no directory in the way of the next attempt.
    let mut databases = Vec::new();
    for database in [config.database.clone(), config.evidence_path()] {
        // The evidence database is made by the first start of a version that has one.
        if database == config.database || database.exists() {
            let failed = |error| MaintenanceError::Database { path: database.clone(), error };
            databases.push((open(&database).await.map_err(failed)?, database));
        }
    }
    DirBuilder::new().mode(0o700).create(to).map_err(|error| file(to, error))?;
    let mut copies = Vec::new();
    for (mut connection, database) in databases {
        let copy = to.join(database.file_name().unwrap_or_default());
        create_private(&copy).map_err(|error| file(&copy, error))?;
        let failed = |error| MaintenanceError::Database { path: database.clone(), error };
        sqlx::query("VACUUM INTO ?")
            .bind(copy.to_string_lossy().into_owned())
            .execute(&mut connection)
            .await
            .map_err(failed)?;
        connection.close().await.map_err(failed)?;
        copies.push(copy);
    }
    Ok(copies)
}

/// How many grants each person holds that have not ended, by this database, which is not changed.
///
/// # Errors
/// [`MaintenanceError`] if it cannot be read.
pub async fn live_grants(database: &Path) -> Result<Vec<(String, i64)>, MaintenanceError> {
    let failed = |error| MaintenanceError::Database { path: database.to_owned(), error };
    let mut connection = open_to_read(database).await.map_err(failed)?;
    let held = sqlx::query_as(
        "SELECT requester, count(*) FROM requests
         WHERE jti IS NOT NULL AND expires_at > ?1 AND lapsed_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)
         GROUP BY requester ORDER BY requester",
    )
    .bind(now().seconds())
    .fetch_all(&mut connection)
    .await
    .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(held)
}

/// Gives the feed of a stopped service another id, and returns it.
///
/// # Errors
/// [`MaintenanceError`] if the service runs, or the database does not do it.
pub async fn new_feed(config: &Config) -> Result<String, MaintenanceError> {
    let _lock = DatabaseLock::take(&config.database, now())?;
    let failed = |error| MaintenanceError::Database { path: config.database.clone(), error };
    let mut connection = open(&config.database).await.map_err(failed)?;
    let id = sqlx::query_scalar("UPDATE feed SET id = lower(hex(randomblob(16))) RETURNING id")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(id)
}

/// Reads all events of a database as the interface shows them, in their order. The file is not changed, and the service may run.
///
/// # Errors
/// [`MaintenanceError`] if it cannot be read.
pub async fn events(
    path: &Path,
    each: &mut dyn FnMut(serde_json::Value),
) -> Result<(), MaintenanceError> {
    let failed = |error| MaintenanceError::Database { path: path.to_owned(), error };
    let mut connection = open_to_read(path).await.map_err(failed)?;
    let mut shown = |kept: Kept| each(kept.event.shown(kept.text));
    read_all(&mut connection, &mut shown).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// When the last event of a database was, if it has one. The file is not changed, and the service may run.
///
/// # Errors
/// [`MaintenanceError`] if it cannot be read.
pub async fn last_event(path: &Path) -> Result<Option<Moment>, MaintenanceError> {
    let failed = |error| MaintenanceError::Database { path: path.to_owned(), error };
    let mut connection = open_to_read(path).await.map_err(failed)?;
    let last: Option<i64> =
        sqlx::query_scalar("SELECT time_ms FROM events ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut connection)
            .await
            .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(last.map(Moment::from_millis))
}

/// Removes the heads that are in the main database of a stopped service although they were copied into the evidence
/// database, gives their space back, and returns how many there were.
///
/// # Errors
/// [`MaintenanceError`] if the service runs, the copy is not done, or the database does not do it.
pub async fn drop_old_heads(config: &Config) -> Result<u64, MaintenanceError> {
    let _lock = DatabaseLock::take(&config.database, now())?;
    let evidence = config.evidence_path();
    if !is_copied(&evidence).await? {
        return Err(MaintenanceError::NotCopied { path: evidence });
    }
    let failed = |error| MaintenanceError::Database { path: config.database.clone(), error };
    let mut connection = open(&config.database).await.map_err(failed)?;
    let removed = remove_heads(&mut connection).await.map_err(failed)?;
    sqlx::query("VACUUM").execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(removed)
}

/// The trigger that keeps heads is away for one transaction, and afterwards as it was.
async fn remove_heads(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let trigger: String = sqlx::query_scalar(
        "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = 'audit_heads_not_deleted'",
    )
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query("DROP TRIGGER audit_heads_not_deleted").execute(&mut *transaction).await?;
    let removed = sqlx::query("DELETE FROM audit_heads").execute(&mut *transaction).await?;
    // What the schema says of itself.
    sqlx::query(sqlx::AssertSqlSafe(trigger)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(removed.rows_affected())
}

async fn is_copied(evidence: &Path) -> Result<bool, MaintenanceError> {
    if !evidence.exists() {
        return Ok(false);
    }
    let failed = |error| MaintenanceError::Database { path: evidence.to_owned(), error };
    let mut connection = open(evidence).await.map_err(failed)?;
    let done = sqlx::query_scalar("SELECT done FROM import")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(done)
}

/// An existing database, as the service opens it.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "MEMORY");
    SqliteConnection::connect_with(&options).await
}

/// An existing database, which is not changed.
pub(super) async fn open_to_read(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT);
    SqliteConnection::connect_with(&options).await
}

/// For the lock's words to a second process alone.
pub(super) fn now() -> Moment {
    SystemClock.now().unwrap_or(Moment::from_seconds(0))
}
