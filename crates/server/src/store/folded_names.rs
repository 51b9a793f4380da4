//! The names of people and incidents with their folded forms: what refuses and what finds looks here, with an
//! index. What allows compares the names themselves.

use sqlx::types::Json;
use sqlx::{SqliteConnection, SqlitePool};

use super::StoreError;
use super::write::Write;
use breakglass_audit::folded::{Folded, tables};

/// How many names one transaction folds anew.
const STEP: i64 = 10_000;

/// Adds names that a change is about to use, folded, in its transaction.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    names: &[&str],
) -> Result<(), StoreError> {
    let folded: Vec<[String; 3]> = names
        .iter()
        .map(|name| {
            let folded = Folded::new(name);
            let [case_first, looks_first] = folded.keys();
            [(*name).to_owned(), case_first.to_owned(), looks_first.to_owned()]
        })
        .collect();
    sqlx::query(
        "INSERT INTO folded_names (name, tables, case_first, looks_first)
         SELECT value ->> 0, ?2, value ->> 1, value ->> 2 FROM json_each(?1) WHERE TRUE
         ON CONFLICT (name) DO UPDATE
         SET tables = ?2, case_first = excluded.case_first, looks_first = excluded.looks_first
         WHERE tables <> ?2",
    )
    .bind(Json(folded))
    .bind(tables())
    .execute(connection)
    .await?;
    Ok(())
}

/// Folds the names that were not folded yet, or with other tables: those of an earlier version.
pub(super) async fn catch_up(pool: &SqlitePool) -> Result<(), StoreError> {
    loop {
        let stale: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM folded_names WHERE tables < ?1
             UNION ALL SELECT name FROM folded_names WHERE tables > ?1 LIMIT ?2",
        )
        .bind(tables())
        .bind(STEP)
        .fetch_all(pool)
        .await?;
        if stale.is_empty() {
            return Ok(());
        }
        let mut transaction = Write::begin(pool).await?;
        let names: Vec<&str> = stale.iter().map(String::as_str).collect();
        keep(&mut transaction, &names).await?;
        transaction.commit().await?;
    }
}
