//! What grants were used for: the counts that came with heads, kept for each chain and node, and added up over all chains.
//!
//! Only what the owner of a chain said of it counts, and what it said under two names of a node counts once.

use std::collections::BTreeMap;

use breakglass_api::uses::{GrantUses, Use};
use sqlx::types::Json;

use super::{Evidence, EvidenceError};
use crate::store::write::Write;

/// The most kinds of use in one answer: those with the most records.
const KINDS: i64 = 1000;

/// A chain has fewer records. What a proxy says beyond it counts as this many, so that no sum leaves the numbers of SQL.
const MAX_RECORDS: i64 = 1 << 40;

/// What makes a reporter of a chain its owner: the same as in head_pages.rs.
macro_rules! of_owners {
    ($what:literal, $from:literal, $group:literal) => {
        concat!(
            "SELECT ",
            $what,
            ", max(min(c.count, ?2)) AS count FROM ",
            $from,
            " c JOIN audit_reporters r ON r.id = c.reporter
             JOIN audit_chain_owners o ON o.owner = r.proxy AND o.id = coalesce(
                 (SELECT id FROM audit_chain_owners
                  WHERE chain = r.chain AND owner = r.proxy AND proven),
                 (SELECT id FROM audit_chain_owners
                  WHERE chain = r.chain ORDER BY proven DESC, id LIMIT 1))
             WHERE c.grant_id IN (SELECT value FROM json_each(?1) AS named)
             GROUP BY r.chain, ",
            $group
        )
    };
}

/// Some uses, and how many records there are in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsesOfGrants {
    /// The uses of all these grants together.
    pub uses: GrantUses,
    /// How many of the grants have a record.
    pub used: i64,
}

impl Evidence {
    /// What a grant was used for, as far as the proxies have reported it.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn uses_of(&self, grant: &str) -> Result<GrantUses, EvidenceError> {
        Ok(self.uses_of_grants(&[grant]).await?.uses)
    }

    /// The same of several grants together.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn uses_of_grants(&self, grants: &[&str]) -> Result<UsesOfGrants, EvidenceError> {
        // One transaction: the records are those that the uses are of.
        let mut transaction = self.readers()?.begin().await?;
        let uses: Vec<Row> = sqlx::query_as(concat!(
            "SELECT scope, method, rule, outcome, sum(count) AS records FROM (",
            of_owners!(
                "c.scope, c.method, c.rule, c.outcome",
                "audit_reporter_uses",
                "c.grant_id, c.scope, c.method, c.rule, c.outcome"
            ),
            ") AS known GROUP BY scope, method, rule, outcome
             ORDER BY records DESC, scope, method, rule, outcome LIMIT ?3"
        ))
        .bind(Json(grants))
        .bind(MAX_RECORDS)
        .bind(KINDS)
        .fetch_all(&mut *transaction)
        .await?;
        let (records, used): (i64, i64) = sqlx::query_as(concat!(
            "SELECT coalesce(sum(count), 0), count(DISTINCT grant_id) FROM (",
            of_owners!("c.grant_id", "audit_reporter_grants", "c.grant_id"),
            ") AS known"
        ))
        .bind(Json(grants))
        .bind(MAX_RECORDS)
        .fetch_one(&mut *transaction)
        .await?;
        let uses: Vec<Use> = uses.into_iter().map(Use::from).collect();
        let known = uses.iter().map(|used| used.records).fold(0, i64::saturating_add);
        let other_records = records.saturating_sub(known).max(0);
        Ok(UsesOfGrants { uses: GrantUses { uses, other_records }, used })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    scope: String,
    method: String,
    rule: String,
    outcome: String,
    records: i64,
}

impl From<Row> for Use {
    fn from(Row { scope, method, rule, outcome, records }: Row) -> Use {
        let named = |text: String| (!text.is_empty()).then_some(text);
        Use { scope: named(scope), method, rule: named(rule), outcome, records }
    }
}

/// Keeps the uses of a head that is kept, each with the highest count that its reporter gave: a chain, a credential and a
/// node.
pub(super) async fn keep(
    transaction: &mut Write,
    (chain, proxy, node): (&str, &str, &str),
    uses: &BTreeMap<String, Vec<Use>>,
) -> Result<(), EvidenceError> {
    if uses.is_empty() {
        return Ok(());
    }
    let rows = uses.iter().flat_map(|(grant, uses)| {
        uses.iter().map(move |Use { scope, method, rule, outcome, records }| {
            (
                grant,
                scope.as_deref().unwrap_or(""),
                method,
                rule.as_deref().unwrap_or(""),
                outcome,
                records,
            )
        })
    });
    sqlx::query(
        "INSERT INTO audit_reporter_uses (reporter, grant_id, scope, method, rule, outcome, count)
         SELECT r.id, named.value ->> 0, named.value ->> 1, named.value ->> 2, named.value ->> 3,
             named.value ->> 4, named.value ->> 5
         FROM audit_reporters r JOIN json_each(?4) AS named
         WHERE r.chain = ?1 AND r.proxy = ?2 AND r.node = ?3
         ON CONFLICT (reporter, grant_id, scope, method, rule, outcome)
         DO UPDATE SET count = excluded.count WHERE excluded.count > count",
    )
    .bind(chain)
    .bind(proxy)
    .bind(node)
    .bind(Json(rows.collect::<Vec<_>>()))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
