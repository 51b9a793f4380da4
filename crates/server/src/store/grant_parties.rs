//! Whose grants these are, and what they are for: for what proxies say of several at once.

use std::collections::HashMap;

use sqlx::types::Json;

use super::{Store, StoreError};

/// Of a grant, what a proxy must not be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantParties {
    /// Its environment.
    pub audience: String,
    /// Who holds it.
    pub subject: String,
    /// The incident that it is for.
    pub incident: Option<String>,
}

impl Store {
    /// Those of these grants that are known, whether they hold or not.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn grant_parties(
        &self,
        grants: &[&str],
    ) -> Result<HashMap<String, GrantParties>, StoreError> {
        let found: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
            "SELECT jti, audience, requester, incident
             FROM json_each(?1) AS named CROSS JOIN requests ON requests.jti = named.value",
        )
        .bind(Json(grants))
        .fetch_all(&self.lists)
        .await?;
        let parties = |(jti, audience, subject, incident)| {
            (jti, GrantParties { audience, subject, incident })
        };
        Ok(found.into_iter().map(parties).collect())
    }
}
