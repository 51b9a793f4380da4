//! The deadline of a review, for tests that cannot wait: the shortest one is an hour.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

/// Puts the deadline of this review of a service that runs into the past, which no rule of its database allows.
pub(crate) fn let_pass(database: &Path, id: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", database.display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        let rule: String =
            sqlx::query_scalar("SELECT sql FROM sqlite_schema WHERE name = 'reviews_once'")
                .fetch_one(&mut database)
                .await
                .unwrap();
        sqlx::query("DROP TRIGGER reviews_once").execute(&mut database).await.unwrap();
        let passed = sqlx::query("UPDATE reviews SET due_at_ms = 1 WHERE id = ?1").bind(id);
        passed.execute(&mut database).await.unwrap();
        sqlx::query(AssertSqlSafe(rule)).execute(&mut database).await.unwrap();
    });
}
