//! The names of people and incidents with their folded forms: what refuses and what finds looks here, with an
//! index. What allows compares the names themselves.

use sqlx::SqlitePool;
use sqlx::types::Json;

use super::StoreError;
use super::write::Write;
use breakglass_audit::folded::Folded;
pub(super) use breakglass_audit::folded::tables;

/// How many names one transaction folds anew.
const STEP: i64 = 10_000;

/// Adds names that a change is about to use, folded, in its transaction: [`folded`] of them, and [`tables`], are the
/// parameters.
macro_rules! keep_names {
    ($names:literal, $tables:literal) => {
        concat!(
            "INSERT INTO folded_names (name, tables, case_first, looks_first)
             SELECT value ->> 0, ",
            $tables,
            ", value ->> 1, value ->> 2 FROM json_each(",
            $names,
            ") WHERE TRUE
             ON CONFLICT (name) DO UPDATE
             SET tables = ",
            $tables,
            ", case_first = excluded.case_first, looks_first = excluded.looks_first
             WHERE tables <> ",
            $tables,
            ";"
        )
    };
}
pub(super) use keep_names;

/// These names with what is found by.
pub(super) fn folded(names: &[&str]) -> Json<Vec<[String; 3]>> {
    let folded = names
        .iter()
        .map(|name| {
            let folded = Folded::new(name);
            let [case_first, looks_first] = folded.keys();
            [(*name).to_owned(), case_first.to_owned(), looks_first.to_owned()]
        })
        .collect();
    Json(folded)
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
        sqlx::query(keep_names!("?1", "?2"))
            .bind(folded(&names))
            .bind(tables())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
}
