//! Whether a database is as the service left it: the file, its rules, the trail, what the trail says beside the rows, the
//! feed, and the keys. Nothing is changed, and the service may run: all is read as of one moment.
//!
//! Who can write the file can also cut the trail at its end and set `positions` to match: that is found by a head that was
//! kept elsewhere, such as in the file of `trail_heads`, and by nothing else here.

mod chain;
mod feed;
mod file;
mod heads;
mod incidents;
mod keys;
mod report;
mod requests;
mod reviews;
mod rotations;
mod service;

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};

use super::maintenance::{MaintenanceError, open_to_read};
use super::{StoreError, migrations};
use crate::clock::{Clock as _, Moment, SystemClock};
use crate::config::Config;
use crate::evidence;
use crate::issuer::TrailKeys;
pub use report::{Counts, Finding, Part, Report};

/// Checks the databases and the keys of a service, which may run.
///
/// # Errors
/// [`MaintenanceError`] if a database cannot be opened, or another version made it.
pub async fn check(config: &Config) -> Result<Report, MaintenanceError> {
    let mut report = Report::default();
    let now = SystemClock.now().unwrap_or(Moment::from_seconds(0));
    let keys = keys::check(config, now, &mut report);
    let heads = heads::Heads::read(config, &mut report);
    check_with(&config.database, keys.as_ref(), heads, &mut report).await?;
    let evidence = config.evidence_path();
    // The first start makes it.
    if evidence.exists() {
        let failed = |error| MaintenanceError::of(&evidence, error);
        let mut connection = open_to_read(&evidence).await.map_err(|error| failed(error.into()))?;
        let part = Part::Evidence;
        let migrations = evidence::migrations();
        let looked = look_at_file(&mut connection, &migrations, part, part, &mut report).await;
        or_found(looked, part, &mut report).map_err(failed)?;
    }
    report.findings.sort_by_key(|finding| finding.part);
    Ok(report)
}

/// Checks one main database with these keys of its trail.
///
/// # Errors
/// [`MaintenanceError`] if it cannot be opened, or another version made it.
pub(super) async fn check_database(
    path: &Path,
    keys: Option<&TrailKeys>,
    report: &mut Report,
) -> Result<(), MaintenanceError> {
    check_with(path, keys, None, report).await
}

/// The same, and compares its trail with heads that were kept elsewhere.
async fn check_with(
    path: &Path,
    keys: Option<&TrailKeys>,
    heads: Option<heads::Heads>,
    report: &mut Report,
) -> Result<(), MaintenanceError> {
    let failed = |error| MaintenanceError::of(path, error);
    let mut connection = open_to_read(path).await.map_err(|error| failed(error.into()))?;
    let looked = look(&mut connection, keys, heads, report).await;
    or_found(looked, Part::File, report).map_err(failed)?;
    // It has read, and a failure to close has no consequence.
    let _ = connection.close().await;
    Ok(())
}

async fn look(
    connection: &mut SqliteConnection,
    keys: Option<&TrailKeys>,
    heads: Option<heads::Heads>,
    report: &mut Report,
) -> Result<(), StoreError> {
    // All that follows is of one moment.
    connection.execute("BEGIN").await?;
    look_at_file(connection, &migrations(), Part::File, Part::Schema, report).await?;
    let began = chain::check(connection, keys, report).await;
    let began = or_found(began.map_err(StoreError::from), Part::Chain, report)?.flatten();
    let requests = requests::check(connection, began, report).await;
    or_found(requests.map_err(StoreError::from), Part::Requests, report)?;
    let rotations = rotations::check(connection, report).await;
    or_found(rotations.map_err(StoreError::from), Part::Requests, report)?;
    let reviews = reviews::check(connection, report).await;
    or_found(reviews.map_err(StoreError::from), Part::Requests, report)?;
    let service = service::check(connection, report).await;
    or_found(service.map_err(StoreError::from), Part::OlderTrail, report)?;
    let feed = feed::check(connection, report).await;
    or_found(feed.map_err(StoreError::from), Part::Feed, report)?;
    if let Some(heads) = heads {
        let compared = heads.compare(connection, report).await;
        or_found(compared.map_err(StoreError::from), Part::Heads, report)?;
    }
    Ok(())
}

async fn look_at_file(
    connection: &mut SqliteConnection,
    migrator: &sqlx::migrate::Migrator,
    file: Part,
    rules: Part,
    report: &mut Report,
) -> Result<(), StoreError> {
    file::check(connection, file, report).await?;
    file::compare_rules(connection, migrator, rules, report).await
}

/// What cannot be read because it is damaged is a finding, and the other parts are looked at. A fault that may be over the
/// next moment, such as a lock, is none.
fn or_found<T>(
    result: Result<T, StoreError>,
    part: Part,
    report: &mut Report,
) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Database(error)) if is_damage(&error) => {
            report.found(part, format!("it cannot be read: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn is_damage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound => true,
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i32>().ok());
            // SQLITE_ERROR (a table or column that is not there), SQLITE_CORRUPT, SQLITE_NOTADB:
            // https://www.sqlite.org/rescode.html
            code.is_some_and(|code| matches!(code & 0xff, 1 | 11 | 26))
        }
        _ => false,
    }
}
