//! Databases that the version before made.

use std::path::Path;

use sqlx::{AssertSqlSafe, SqlitePool};

/// The rows of a database with trail entries at many times.
pub const CLOCK: &str = include_str!("before/clock.sql");

/// The rows of a database with requests in every state.
pub const LISTS: &str = include_str!("before/lists.sql");

/// The rows of a database with people whose names are spelled in several ways.
pub const PEOPLE: &str = include_str!("before/people.sql");

/// A whole database of the version before chains had owners.
pub const OWNERS: &str = include_str!("before/owners.sql");

/// A whole database of the version before requests had digests.
pub const DIGESTS: &str = include_str!("before/digests.sql");

/// A whole evidence database of the version before heads named configurations.
pub const HEADS: &str = include_str!("before/heads.sql");

/// A whole database of the version before approvals were rows, with a request in each state.
pub const GRANTS: &str = include_str!("before/grants.sql");

/// Makes a database of the version before at `path`, with these rows.
pub async fn make(path: &Path, rows: &str) {
    run(path, &[include_str!("before/tables.sql"), rows, include_str!("before/rules.sql")]).await;
}

/// Makes a database at `path` as a dump says.
pub async fn restore(path: &Path, dump: &str) {
    run(path, &[dump]).await;
}

async fn run(path: &Path, parts: &[&str]) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let database = SqlitePool::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(parts.concat())).execute(&database).await.unwrap();
    database.close().await;
}
