//! The rules that digests stand for: each is kept when the first request names it, and for good.

use std::collections::BTreeMap;

use breakglass_types::scope_rules::{ScopeDigest, ScopeRules};
use serde_json::Value;
use sqlx::SqliteConnection;

use super::{Store, StoreError};

/// Keeps rules that a request is about to name, in its transaction.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    rules: &ScopeRules,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO scope_rules (digest, rules)
         SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM scope_rules WHERE digest = ?1)",
    )
    .bind(rules.digest().to_string())
    .bind(rules.canonical())
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// The rules with these digests, of those that are kept. What is kept and has another digest is no rule of ours.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn scope_rules(
        &self,
        digests: impl IntoIterator<Item = ScopeDigest>,
    ) -> Result<BTreeMap<ScopeDigest, ScopeRules>, StoreError> {
        let digests: Vec<String> = digests.into_iter().map(|digest| digest.to_string()).collect();
        if digests.is_empty() {
            return Ok(BTreeMap::new());
        }
        let kept: Vec<String> = sqlx::query_scalar(
            "SELECT rules FROM scope_rules WHERE digest IN (SELECT value FROM json_each(?1))",
        )
        .bind(Value::from(digests.as_slice()).to_string())
        .fetch_all(&self.lookups)
        .await?;
        let rules = kept.iter().filter_map(|form| {
            let rules = ScopeRules::from_canonical(serde_json::from_str(form).ok()?).ok()?;
            Some((rules.digest(), rules))
        });
        Ok(rules.filter(|(digest, _)| digests.contains(&digest.to_string())).collect())
    }
}
