//! How people want to be told of what concerns them: each has said it of themselves.

use std::collections::BTreeSet;

use sqlx::types::Json;

use super::{Store, StoreError, exactly_one};

impl Store {
    /// Those of these people who want no mail.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn want_no_mail(&self, people: &[&str]) -> Result<BTreeSet<String>, StoreError> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT person FROM notify_preferences
             WHERE person IN (SELECT value FROM json_each(?1)) AND mail = 0",
        )
        .bind(Json(people))
        .fetch_all(&self.telling)
        .await?;
        Ok(names.into_iter().collect())
    }

    /// Writes down whether this person wants mail.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it.
    pub async fn set_wants_mail(&self, person: &str, mail: bool) -> Result<(), StoreError> {
        self.check_space()?;
        let mut write = self.write().await?;
        let result = sqlx::query(
            "INSERT INTO notify_preferences (person, mail) VALUES (?1, ?2) ON CONFLICT (person) DO UPDATE SET mail = ?2",
        )
        .bind(person)
        .bind(mail)
        .execute(&mut *write)
        .await?;
        exactly_one(&result)?;
        write.commit().await
    }
}
