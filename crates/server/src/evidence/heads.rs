//! The heads of the proxies' audit chains: what was reported, kept as it came.

use std::collections::{BTreeMap, HashMap};

use breakglass_api::uses::Use;
use sqlx::types::Json;

use super::{Evidence, EvidenceError, uses};
use crate::clock::Moment;
use crate::store::exactly_one;
use crate::store::write::Write;

/// Who reports.
#[derive(Debug, Clone, Copy)]
pub struct Reporter<'a> {
    /// The name of its credential.
    pub proxy: &'a str,
    /// What it calls itself.
    pub node: &'a str,
    /// The id of its Envoy process: 32 hexadecimal digits. Older filters say none.
    pub process: Option<&'a str>,
}

/// How far one chain is.
#[derive(Debug)]
pub struct Head {
    /// The chain's id: 32 hexadecimal digits.
    pub chain: String,
    /// The number of its last record, from 1.
    pub seq: i64,
    /// That record's hash: 64 hexadecimal digits.
    pub hash: String,
    /// When the chain began, RFC 3339, by the proxy's clock.
    pub began: String,
    /// Whether no record will follow.
    pub ended: bool,
    /// The digest of the configuration under which the chain is written: 64 hexadecimal digits. A chain's first head
    /// names it; older filters name none.
    pub configuration: Option<String>,
    /// How many records each grant has in the chain so far, where that has changed.
    pub grants: BTreeMap<String, i64>,
    /// What these records were of, the kinds that have changed. Older filters say none.
    pub uses: BTreeMap<String, Vec<Use>>,
}

/// What came of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reported {
    /// Heads that are kept now, those that were known already included.
    pub accepted: u64,
    /// How many of them contradict an earlier one of the same owner.
    pub conflicts: u64,
    /// How many of them are of another proxy's chain, those that were known already included.
    pub disputed: u64,
    /// The first of these.
    pub first_disputed: Option<Disputed>,
}

/// A chain that a proxy reported and that is another proxy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disputed {
    /// The chain.
    pub chain: String,
    /// The name of the proxy whose chain it is.
    pub owner: String,
}

/// What is known of a chain from one reporter.
#[derive(sqlx::FromRow)]
struct Known {
    /// The reporter of this chain.
    id: i64,
    /// The highest number that it reported.
    seq: i64,
    /// The lowest number at which it said that the chain is over.
    ended_seq: Option<i64>,
    /// The head that this one repeats.
    same: Option<i64>,
    /// Whether a grant's count is higher than any that it reported.
    counts_more: bool,
    /// The configuration that it named first for this chain.
    configuration: Option<String>,
    /// Whether the head names a configuration that it has not named for this chain.
    names_more: bool,
}

impl Known {
    /// Whether this head names another configuration than the reporter named before.
    fn has_other_configuration(&self, head: &Head) -> bool {
        let named = self.configuration.as_ref().zip(head.configuration.as_ref());
        named.is_some_and(|(before, now)| before != now)
    }
}

impl Evidence {
    /// Those of `chains` that no proxy has reported before.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn unknown_chains(&self, chains: &[&str]) -> Result<Vec<String>, EvidenceError> {
        Ok(sqlx::query_scalar(
            "SELECT named.value FROM json_each(?1) AS named
             WHERE NOT EXISTS (SELECT 1 FROM audit_chain_owners WHERE chain = named.value)",
        )
        .bind(Json(chains))
        .fetch_all(&self.readers()?)
        .await?)
    }

    /// Keeps a report: all its heads, or none. `proven` names the owners of those of its chains whose ids
    /// prove one. A head that is known already is not kept twice: that it was seen again is.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database refuses it, or the credential has had its share.
    pub async fn report_heads(
        &self,
        now: Moment,
        reporter: Reporter<'_>,
        heads: &[Head],
        proven: &HashMap<String, String>,
    ) -> Result<Reported, EvidenceError> {
        let _turn = self.turn(reporter.proxy).await?;
        self.check_quota(reporter, heads).await?;
        let mut transaction = self.write().await?;
        let mut reported = Reported::default();
        let mut owners: HashMap<&str, Option<String>> = HashMap::new();
        for head in heads {
            let chain = head.chain.as_str();
            if !owners.contains_key(chain) {
                let proven = proven.get(chain).map(String::as_str);
                owners.insert(chain, owner(&mut transaction, reporter, chain, proven).await?);
            }
            let owner = owners.get(chain).and_then(Option::as_deref);
            let owner = owner.filter(|owner| *owner != reporter.proxy);
            reported.accepted = reported.accepted.saturating_add(1);
            reported.disputed = reported.disputed.saturating_add(u64::from(owner.is_some()));
            if let (Some(owner), None) = (owner, &reported.first_disputed) {
                let (chain, owner) = (chain.to_owned(), owner.to_owned());
                reported.first_disputed = Some(Disputed { chain, owner });
            }
            let known = known(&mut transaction, reporter, head).await?;
            if let Some((Known { id, seq, counts_more: false, names_more: false, .. }, same)) =
                known.as_ref().and_then(|known| Some((known, known.same?)))
            {
                // Only the highest head is ever repeated; a lower one is a report that came late.
                if head.seq >= *seq {
                    seen_again(&mut transaction, now, *id, same).await?;
                }
                // Another page of it.
                uses::keep(&mut transaction, (chain, reporter.proxy, reporter.node), &head.uses)
                    .await?;
                continue;
            }
            let other_configuration =
                known.as_ref().is_some_and(|known| known.has_other_configuration(head));
            let conflict = match owner {
                Some(_) => Some("other_node".to_owned()),
                None => conflict(&mut transaction, reporter, head, known.as_ref()).await?,
            };
            let contradicts = owner.is_none() && (conflict.is_some() || other_configuration);
            reported.conflicts = reported.conflicts.saturating_add(u64::from(contradicts));
            let marks = Marks { conflict, other_configuration };
            insert(&mut transaction, now, reporter, head, marks).await?;
            uses::keep(&mut transaction, (chain, reporter.proxy, reporter.node), &head.uses)
                .await?;
        }
        transaction.commit().await?;
        Ok(reported)
    }
}

/// The name of the chain's owner; none where no proxy has reported the chain: it becomes the reporter's.
async fn owner(
    transaction: &mut Write,
    reporter: Reporter<'_>,
    chain: &str,
    proven: Option<&str>,
) -> Result<Option<String>, EvidenceError> {
    if let Some(proven) = proven {
        let known: Option<bool> = sqlx::query_scalar(
            "SELECT proven FROM audit_chain_owners WHERE chain = ?1 AND owner = ?2",
        )
        .bind(chain)
        .bind(proven)
        .fetch_optional(&mut **transaction)
        .await?;
        let change = match known {
            Some(true) => None,
            Some(false) => {
                Some("UPDATE audit_chain_owners SET proven = 1 WHERE chain = ?1 AND owner = ?2")
            }
            None => {
                Some("INSERT INTO audit_chain_owners (chain, owner, proven) VALUES (?1, ?2, 1)")
            }
        };
        if let Some(change) = change {
            let result =
                sqlx::query(change).bind(chain).bind(proven).execute(&mut **transaction).await?;
            exactly_one(&result)?;
        }
    }
    // The same order as in head_pages.rs: the reporter, if it has proven that it is the owner.
    Ok(sqlx::query_scalar(
        "SELECT owner FROM audit_chain_owners WHERE chain = ?1
         ORDER BY proven DESC, owner = ?2 DESC, id LIMIT 1",
    )
    .bind(chain)
    .bind(reporter.proxy)
    .fetch_optional(&mut **transaction)
    .await?)
}

async fn known(
    transaction: &mut Write,
    reporter: Reporter<'_>,
    head: &Head,
) -> Result<Option<Known>, EvidenceError> {
    Ok(sqlx::query_as(
        "SELECT id, seq, ended_seq,
             (SELECT same.id FROM audit_heads same
              WHERE same.chain = ?1 AND same.proxy = ?2 AND same.node = ?3 AND same.seq = ?4
                AND same.hash = ?5 AND same.ended = ?6 AND same.process IS ?7
              ORDER BY same.other_configuration, same.reported_at_ms DESC LIMIT 1) AS same,
             EXISTS (SELECT 1 FROM json_each(?8) AS named
              WHERE named.value > coalesce((SELECT count FROM audit_reporter_grants
                  WHERE reporter = audit_reporters.id AND grant_id = named.key), 0))
                AS counts_more,
             configuration,
             ?9 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM audit_heads named
              WHERE named.chain = ?1 AND named.proxy = ?2 AND named.node = ?3
                AND named.configuration = ?9) AS names_more
         FROM audit_reporters WHERE chain = ?1 AND proxy = ?2 AND node = ?3",
    )
    .bind(&head.chain)
    .bind(reporter.proxy)
    .bind(reporter.node)
    .bind(head.seq)
    .bind(&head.hash)
    .bind(head.ended)
    .bind(reporter.process)
    .bind(Json(&head.grants))
    .bind(&head.configuration)
    .fetch_optional(&mut **transaction)
    .await?)
}

async fn seen_again(
    transaction: &mut Write,
    now: Moment,
    reporter: i64,
    head: i64,
) -> Result<(), EvidenceError> {
    let result = sqlx::query(
        "UPDATE audit_reporters SET head_id = ?1, seen_at_ms = max(seen_at_ms, ?2) WHERE id = ?3",
    )
    .bind(head)
    .bind(now.millis())
    .bind(reporter)
    .execute(&mut **transaction)
    .await?;
    Ok(exactly_one(&result)?)
}

/// Which earlier head of the same owner this one contradicts, the worst first. Which of them is right is not
/// decided here: the log shows it.
async fn conflict(
    transaction: &mut Write,
    reporter: Reporter<'_>,
    head: &Head,
    known: Option<&Known>,
) -> Result<Option<String>, EvidenceError> {
    Ok(sqlx::query_scalar(
        "SELECT CASE
             WHEN EXISTS (SELECT 1 FROM audit_reporters
                 WHERE chain = ?1 AND proxy = ?2 AND node <> ?3) THEN 'other_node'
             WHEN EXISTS (SELECT 1 FROM audit_heads WHERE chain = ?1 AND proxy = ?2
                 AND node = ?3 AND seq = ?4 AND hash < ?5) THEN 'other_hash'
             WHEN EXISTS (SELECT 1 FROM audit_heads WHERE chain = ?1 AND proxy = ?2
                 AND node = ?3 AND seq = ?4 AND hash > ?5) THEN 'other_hash'
             WHEN ?6 < ?4 THEN 'after_end'
             WHEN ?7 > ?4 THEN 'goes_back'
         END",
    )
    .bind(&head.chain)
    .bind(reporter.proxy)
    .bind(reporter.node)
    .bind(head.seq)
    .bind(&head.hash)
    .bind(known.and_then(|known| known.ended_seq))
    .bind(known.map(|known| known.seq))
    .fetch_one(&mut **transaction)
    .await?)
}

/// What a head contradicts: the word of its number, hash and node, and whether it names another configuration, which the
/// schema keeps in a column of its own.
struct Marks {
    conflict: Option<String>,
    other_configuration: bool,
}

async fn insert(
    transaction: &mut Write,
    now: Moment,
    reporter: Reporter<'_>,
    head: &Head,
    Marks { conflict, other_configuration }: Marks,
) -> Result<(), EvidenceError> {
    let result = sqlx::query(
        "INSERT INTO audit_heads (reported_at_ms, proxy, node, process, chain, seq, hash, began,
            ended, grants, conflict, configuration, other_configuration)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )
    .bind(now.millis())
    .bind(reporter.proxy)
    .bind(reporter.node)
    .bind(reporter.process)
    .bind(&head.chain)
    .bind(head.seq)
    .bind(&head.hash)
    .bind(&head.began)
    .bind(head.ended)
    .bind(Json(&head.grants))
    .bind(conflict)
    .bind(&head.configuration)
    .bind(other_configuration)
    .execute(&mut **transaction)
    .await?;
    Ok(exactly_one(&result)?)
}
