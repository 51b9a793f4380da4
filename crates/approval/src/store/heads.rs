//! The heads of the proxies' audit chains: what was reported, kept as it came.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::types::Json;
use sqlx::{Sqlite, Transaction};

use super::{Store, StoreError, exactly_one};
use crate::clock::Moment;

/// About how much is read for one page, in bytes. One head can have as many grants as a report holds:
/// a thousand of them would be a gigabyte.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Who reports.
#[derive(Debug, Clone, Copy)]
pub struct Reporter<'a> {
    /// The name of its credential.
    pub proxy: &'a str,
    /// What it calls itself.
    pub node: &'a str,
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
    /// How many records each grant has in the chain so far, where that has changed.
    pub grants: BTreeMap<String, i64>,
}

/// What came of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reported {
    /// Heads that are kept now, those that were known already included.
    pub accepted: u64,
    /// How many of them contradict an earlier one.
    pub conflicts: u64,
}

/// A reported head.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ReportedHead {
    /// Its place in the order of arrival.
    pub id: i64,
    /// When it came, in milliseconds.
    pub reported_at_ms: i64,
    /// Whose credential reported it.
    pub proxy: String,
    /// What the proxy calls itself.
    pub node: String,
    /// The chain.
    pub chain: String,
    /// The number of the chain's last record.
    pub seq: i64,
    /// That record's hash.
    pub hash: String,
    /// When the chain began, by the proxy's clock.
    pub began: String,
    /// Whether no record will follow.
    pub ended: bool,
    /// How many records each grant has in the chain so far, where that had changed.
    #[sqlx(json)]
    pub grants: BTreeMap<String, i64>,
    /// What it contradicts: `other_hash`, `goes_back`, `after_end`, `other_node`.
    pub conflict: Option<String>,
}

/// Which heads to list, in the order of arrival.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadFilter<'a> {
    /// After this one.
    pub after: i64,
    /// Reported at this moment or later.
    pub since: Option<Moment>,
    /// Of this chain.
    pub chain: Option<&'a str>,
    /// Of this node.
    pub node: Option<&'a str>,
    /// At most this many.
    pub limit: i64,
}

impl Store {
    /// Keeps a report: all its heads, or none. One that is known already is not kept twice, so
    /// that a report whose answer was lost can be sent again.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn report_heads(
        &self,
        now: Moment,
        reporter: Reporter<'_>,
        heads: &[Head],
    ) -> Result<Reported, StoreError> {
        let mut transaction = self.write().await?;
        let mut reported = Reported::default();
        for head in heads {
            reported.accepted = reported.accepted.saturating_add(1);
            if is_known(&mut transaction, reporter, head).await? {
                continue;
            }
            let conflict = conflict(&mut transaction, reporter, head).await?;
            reported.conflicts = reported.conflicts.saturating_add(u64::from(conflict.is_some()));
            let result = sqlx::query(
                "INSERT INTO audit_heads (reported_at_ms, proxy, node, chain, seq, hash, began,
                    ended, grants, conflict)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )
            .bind(now.millis())
            .bind(reporter.proxy)
            .bind(reporter.node)
            .bind(&head.chain)
            .bind(head.seq)
            .bind(&head.hash)
            .bind(&head.began)
            .bind(head.ended)
            .bind(Json(&head.grants))
            .bind(conflict)
            .execute(&mut *transaction)
            .await?;
            exactly_one(&result)?;
        }
        transaction.commit().await?;
        Ok(reported)
    }

    /// The first heads that `filter` lets through, and whether there are more.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn heads(
        &self,
        filter: HeadFilter<'_>,
    ) -> Result<(Vec<ReportedHead>, bool), StoreError> {
        let mut found = sqlx::query_as::<_, ReportedHead>(
            "SELECT * FROM audit_heads
             WHERE id > ?1 AND (?2 IS NULL OR reported_at_ms >= ?2)
               AND (?3 IS NULL OR chain = ?3) AND (?4 IS NULL OR node = ?4)
             ORDER BY id LIMIT ?5",
        )
        .bind(filter.after)
        .bind(filter.since.map(Moment::millis))
        .bind(filter.chain)
        .bind(filter.node)
        .bind(filter.limit.saturating_add(1))
        .fetch(&self.pool);
        let (mut heads, mut bytes) = (Vec::new(), 0_usize);
        while let Some(head) = found.try_next().await? {
            let full = i64::try_from(heads.len()).is_ok_and(|count| count >= filter.limit);
            if full || bytes > PAGE_BYTES {
                return Ok((heads, true));
            }
            bytes = head.grants.keys().map(String::len).fold(bytes, usize::saturating_add);
            heads.push(head);
        }
        Ok((heads, false))
    }
}

async fn is_known(
    transaction: &mut Transaction<'static, Sqlite>,
    reporter: Reporter<'_>,
    head: &Head,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM audit_heads
             WHERE chain = ?1 AND seq = ?2 AND hash = ?3 AND ended = ?4 AND grants = ?5
               AND proxy = ?6 AND node = ?7)",
    )
    .bind(&head.chain)
    .bind(head.seq)
    .bind(&head.hash)
    .bind(head.ended)
    .bind(Json(&head.grants))
    .bind(reporter.proxy)
    .bind(reporter.node)
    .fetch_one(&mut **transaction)
    .await?)
}

/// What this head contradicts, the worst first. Who is right is not decided here: the log is.
async fn conflict(
    transaction: &mut Transaction<'static, Sqlite>,
    reporter: Reporter<'_>,
    head: &Head,
) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT CASE
             WHEN EXISTS (SELECT 1 FROM audit_heads
                 WHERE chain = ?1 AND (proxy <> ?4 OR node <> ?5)) THEN 'other_node'
             WHEN EXISTS (SELECT 1 FROM audit_heads
                 WHERE chain = ?1 AND seq = ?2 AND hash <> ?3) THEN 'other_hash'
             WHEN EXISTS (SELECT 1 FROM audit_heads
                 WHERE chain = ?1 AND seq < ?2 AND ended) THEN 'after_end'
             WHEN EXISTS (SELECT 1 FROM audit_heads
                 WHERE chain = ?1 AND seq > ?2) THEN 'goes_back'
         END",
    )
    .bind(&head.chain)
    .bind(head.seq)
    .bind(&head.hash)
    .bind(reporter.proxy)
    .bind(reporter.node)
    .fetch_one(&mut **transaction)
    .await?)
}
