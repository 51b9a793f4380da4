//! The names of people and incidents with their folded forms: what refuses and what finds looks here, with an
//! index. What allows compares the names themselves.

use sqlx::{SqliteConnection, SqlitePool};

use super::write::Write;
use super::{Store, StoreError};
use breakglass_audit::folded::{Folded, tables};

/// How many names one transaction folds anew.
const STEP: i64 = 10_000;

/// Whose name it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person who asked for something.
    Person,
    /// An incident.
    Incident,
}

/// Selects the spellings of a name that requests have in a column. Each part of the inner query is one look-up
/// in an index, and so is the outer one's condition.
macro_rules! spellings {
    ($column:literal) => {
        concat!(
            "SELECT name FROM (
                 SELECT name FROM folded_names WHERE name = ?1
                 UNION SELECT name FROM folded_names WHERE case_first = ?2
                 UNION SELECT name FROM folded_names WHERE looks_first = ?3)
             WHERE EXISTS (SELECT 1 FROM requests WHERE requests.",
            $column,
            " = name) ORDER BY name"
        )
    };
}

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

impl Store {
    /// The spellings of `name` that requests have.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn spellings(&self, kind: Kind, name: &str) -> Result<Vec<String>, StoreError> {
        let folded = Folded::new(name);
        let [case_first, looks_first] = folded.keys();
        let query = match kind {
            Kind::Person => spellings!("requester"),
            Kind::Incident => spellings!("incident"),
        };
        Ok(sqlx::query_scalar(query)
            .bind(name)
            .bind(case_first)
            .bind(looks_first)
            .fetch_all(&self.lists)
            .await?)
    }
}
