//! The file by SQLite's own checks, and its rules against those of a database that was made just now.

use std::collections::BTreeMap;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use super::report::{Part, Report};
use crate::store::StoreError;

/// What SQLite lists of damage at most.
const INTEGRITY: &str = "PRAGMA integrity_check(100)";

/// Runs SQLite's own checks: pages, indexes, and the references between tables.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    part: Part,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let said: Vec<String> = sqlx::query_scalar(INTEGRITY).fetch_all(&mut *connection).await?;
    for line in said.iter().filter(|line| *line != "ok") {
        report.found(part, format!("SQLite's integrity_check: {line}"));
    }
    for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(connection).await? {
        let table: String = row.try_get(0)?;
        let number: Option<i64> = row.try_get(1)?;
        let parent: String = row.try_get(2)?;
        let number = number.map_or_else(String::new, |number| format!(" {number}"));
        report.found(
            part,
            format!("`{table}`: row{number} refers to a row of `{parent}` that is not there"),
        );
    }
    Ok(())
}

/// What a database says of one of its tables, indexes or triggers.
type Rules = BTreeMap<(String, String), String>;

/// Compares tables, indexes and triggers with those that the migrations make, and says how many there are.
///
/// # Errors
/// [`StoreError::OtherVersion`] where other migrations have made the database.
pub(super) async fn compare_rules(
    connection: &mut SqliteConnection,
    migrator: &Migrator,
    part: Part,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut made = SqliteConnection::connect("sqlite::memory:").await?;
    migrator.run(&mut made).await?;
    let (expected, found) = (rules(&mut made).await?, rules(&mut *connection).await?);
    let (known, applied) = (migrations(&mut made).await?, migrations(connection).await?);
    made.close().await?;
    if known.keys().ne(applied.keys()) {
        let missing = known.keys().filter(|version| !applied.contains_key(version)).count();
        let unknown = applied.keys().filter(|version| !known.contains_key(version)).count();
        return Err(StoreError::OtherVersion { missing, unknown });
    }
    for (version, checksum) in &applied {
        if known.get(version) != Some(checksum) {
            report.found(
                part,
                format!("migration {version}: its checksum in the database is another one"),
            );
        }
    }
    report.checked.schema = report.checked.schema.saturating_add(count(&found));
    for ((kind, name), sql) in &expected {
        match found.get(&(kind.clone(), name.clone())) {
            Some(other) if other == sql => {}
            Some(_) => {
                report.found(part, format!("{kind} `{name}`: it is not as the migrations make it"))
            }
            None => report.found(part, format!("{kind} `{name}`: it is missing")),
        }
    }
    for (kind, name) in found.keys().filter(|key| !expected.contains_key(key)) {
        report.found(part, format!("{kind} `{name}`: no migration makes it"));
    }
    Ok(())
}

fn count(rules: &Rules) -> u64 {
    u64::try_from(rules.len()).unwrap_or(u64::MAX)
}

async fn rules(connection: &mut SqliteConnection) -> Result<Rules, sqlx::Error> {
    // Without what SQLite makes by itself, such as the indexes of UNIQUE.
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(kind, name, sql)| ((kind, name), sql)).collect())
}

async fn migrations(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<i64, Vec<u8>>, sqlx::Error> {
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}
