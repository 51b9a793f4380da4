//! The spellings that a name has in the database.

use breakglass_audit::folded::Folded;

use super::{Store, StoreError};

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
