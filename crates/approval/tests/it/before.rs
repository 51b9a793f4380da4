//! Databases that the version before made.

use std::path::Path;

use sqlx::{AssertSqlSafe, SqlitePool};

/// Makes a database of the version before at `path`, with these rows.
pub(crate) async fn make(path: &Path, rows: &str) {
    run(path, &[include_str!("before/tables.sql"), rows, include_str!("before/rules.sql")]).await;
}

/// Makes a database at `path` as a dump says.
pub(crate) async fn restore(path: &Path, dump: &str) {
    run(path, &[dump]).await;
}

async fn run(path: &Path, parts: &[&str]) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let database = SqlitePool::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(parts.concat())).execute(&database).await.unwrap();
    database.close().await;
}
