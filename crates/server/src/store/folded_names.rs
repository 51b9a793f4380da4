//! The names of people and incidents with their folded forms: what refuses and what finds looks here, with an
//! index. What allows compares the names themselves.

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
    for name in names {
        write(connection, name).await?;
    }
    Ok(())
}

async fn write(connection: &mut SqliteConnection, name: &str) -> Result<(), StoreError> {
    let folded = Folded::new(name);
    let [case_first, looks_first] = folded.keys();
    sqlx::query(
        "INSERT INTO folded_names (name, tables, case_first, looks_first) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET tables = ?2, case_first = ?3, looks_first = ?4
         WHERE tables <> ?2",
    )
    .bind(name)
    .bind(tables())
    .bind(case_first)
    .bind(looks_first)
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
        for name in &stale {
            write(&mut transaction, name).await?;
        }
        transaction.commit().await?;
    }
}
