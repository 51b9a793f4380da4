//! Heads in databases.

use crate::store::open;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tempfile::TempDir;

use crate::heads::head;
use crate::service::START;

/// A main database as the version before this one left it: so many heads of seven chains, whose owner is proven for
/// one; with one chain that was seen again later, and one that another proxy claims too.
pub async fn of_the_version_before(heads: i64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    open(&path).await.unwrap().close().await;
    let database = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    // The triggers of that version keep the tables beside it.
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
         INSERT INTO audit_heads (id, reported_at_ms, proxy, node, process, chain, seq, hash, began, ended,
             grants, conflict)
         SELECT 10 + i * 3, ?2 + i * 1000, CASE WHEN i % 11 = 5 THEN 'edge' ELSE 'envoy' END, 'n' || (i % 7),
             CASE WHEN i % 2 THEN printf('%032x', 7) END, printf('%032x', i % 7), i / 7 + 1,
             printf('%064x', i), '2026-11-22T02:12:59.5Z', 0,
             json_object('g' || (i % 13), i / 13 + 1, 'é\"' || (i % 5), 1), NULL FROM n",
    )
    .bind(heads)
    .bind((START - 100_000) * 1000)
    .execute(&database)
    .await
    .unwrap();
    sqlx::raw_sql(
        "UPDATE audit_chain_owners SET proven = 1 WHERE chain LIKE '%3';
         UPDATE audit_reporters SET seen_at_ms = seen_at_ms + 500000 WHERE chain LIKE '%2'",
    )
    .execute(&database)
    .await
    .unwrap();
    database.close().await;
    directory
}

/// All rows of the tables of heads, by the columns that both have.
pub async fn tables(path: &std::path::Path) -> Vec<Vec<String>> {
    let database = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let mut tables = Vec::new();
    for sql in [
        "SELECT json_array(id, reported_at_ms, proxy, node, process, chain, seq, hash, began, ended, grants,
             conflict) FROM audit_heads ORDER BY id",
        "SELECT json_array(id, chain, owner, proven) FROM audit_chain_owners ORDER BY id",
        "SELECT json_array(id, chain, proxy, node, head_id, seq, seen_at_ms, first_ms, last_ms, heads, ended_seq)
         FROM audit_reporters ORDER BY id",
        "SELECT json_array(reporter, grant_id, count) FROM audit_reporter_grants ORDER BY 1",
    ] {
        tables.push(sqlx::query_scalar(sql).fetch_all(&database).await.unwrap());
    }
    database.close().await;
    tables
}

pub fn report(seq: i64) -> Value {
    json!({ "node": "n1", "heads": [head(seq, 'a')] })
}
