//! What is kept for how long, in small steps.
//!
//! - Old heads are thinned to one an hour: the highest of each hour stays, and with it the lowest of the chain, every
//!   end, every head that is in a conflict. A head that stays commits to all records before it, and takes over the
//!   counts of grants from those of its hour that go.
//! - Very old ones are removed, but for the last head of a chain that is still heard of.
//!
//! The schema's triggers refuse every other deletion. How far it went is in every list of heads: what is absent
//! because of it says nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::SqliteConnection;
use sqlx::types::Json;

use super::{Evidence, EvidenceError};
use crate::clock::Moment;
use crate::store::exactly_one;
use crate::store::write::Write;

/// How many rows one step looks at.
const ROWS: i64 = 500;

/// The largest `grants` that thinning makes, in bytes: a head whose counts do not fit stays.
const MAX_MERGED_BYTES: usize = 8 * 1024;

/// How much time is thinned or removed in a minute at most, in milliseconds. With a clock that is years ahead it
/// takes days to empty the database, not a minute.
const MAX_ADVANCE_MS: i64 = 6 * HOUR_MS;

/// An hour of the clock, in milliseconds.
pub(super) const HOUR_MS: i64 = 3_600_000;

/// How far retention went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Retention {
    /// Heads from before this are kept one an hour; a full hour, in milliseconds. 0: none were thinned.
    pub thinned_before_ms: i64,
    /// What is from before this is gone, in milliseconds. 0: nothing is.
    pub removed_before_ms: i64,
}

impl Retention {
    /// Whether it is not known any more which head was the last one before this instant.
    #[must_use]
    pub fn blurs(&self, since: Moment) -> bool {
        since.millis() < self.thinned_before_ms && since.millis().rem_euclid(HOUR_MS) != 0
    }

    /// The full hours before and after an instant, in milliseconds: what is known at these is known whole.
    #[must_use]
    pub fn hours(&self, instant: Moment) -> (i64, i64) {
        let before = instant.millis().div_euclid(HOUR_MS).saturating_mul(HOUR_MS);
        (before, before.saturating_add(HOUR_MS))
    }
}

/// Reads how far it went.
pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Retention, EvidenceError> {
    Ok(sqlx::query_as("SELECT thinned_before_ms, removed_before_ms FROM retention")
        .fetch_one(connection)
        .await?)
}

/// A head that thinning looks at.
#[derive(sqlx::FromRow)]
struct Old {
    id: i64,
    reported_at_ms: i64,
    #[sqlx(json)]
    grants: BTreeMap<String, i64>,
    /// The next higher head of the same reporter and hour, if the schema lets this one go.
    next: Option<i64>,
}

impl Evidence {
    /// How far retention went.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn retention(&self) -> Result<Retention, EvidenceError> {
        let mut connection = self.readers()?.acquire().await?;
        read(&mut connection).await
    }

    /// Moves on what is to be thinned and removed, towards these instants. [`Evidence::thin`] and
    /// [`Evidence::remove`] then do it. Twice as often moves it on twice as fast: see `MAX_ADVANCE_MS`.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database refuses it.
    pub async fn advance_retention(
        &self,
        thin: Moment,
        remove: Moment,
    ) -> Result<Retention, EvidenceError> {
        let mut transaction = self.write().await?;
        let now = read(&mut transaction).await?;
        let oldest: Option<i64> = sqlx::query_scalar(
            "SELECT nullif(min(coalesce((SELECT min(reported_at_ms) FROM audit_heads), ?1),
                 coalesce((SELECT min(at_ms) FROM attempts), ?1),
                 coalesce((SELECT min(at_ms) FROM alerts), ?1)), ?1)",
        )
        .bind(i64::MAX)
        .fetch_one(&mut *transaction)
        .await?;
        let Some(oldest) = oldest else {
            transaction.rollback().await?;
            return Ok(now);
        };
        let advance = |done: i64, to: Moment| {
            let most = done.max(oldest).saturating_add(MAX_ADVANCE_MS);
            let to = to.millis().min(most);
            // What is younger than the oldest row is not touched, and not said to be.
            if to > oldest { to.max(done) } else { done }
        };
        let hour = thin.millis().div_euclid(HOUR_MS).saturating_mul(HOUR_MS);
        let thinned_before_ms = advance(now.thinned_before_ms, Moment::from_millis(hour));
        let next = Retention {
            thinned_before_ms: thinned_before_ms.div_euclid(HOUR_MS).saturating_mul(HOUR_MS),
            removed_before_ms: advance(now.removed_before_ms, remove),
        };
        sqlx::query("UPDATE retention SET thinned_before_ms = ?1, removed_before_ms = ?2")
            .bind(next.thinned_before_ms)
            .bind(next.removed_before_ms)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(next)
    }

    /// Thins some of the heads that are to be. Whether there may be more.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database refuses it.
    pub async fn thin(&self) -> Result<bool, EvidenceError> {
        let mut transaction = self.write().await?;
        let (before, after): (i64, i64) =
            sqlx::query_as("SELECT thinned_before_ms, thinned_id FROM retention")
                .fetch_one(&mut *transaction)
                .await?;
        let heads = old_heads(&mut transaction, after, before).await?;
        let Some(last) = heads.last().map(|head| head.id) else {
            transaction.rollback().await?;
            return Ok(false);
        };
        thin(&mut transaction, heads).await?;
        sqlx::query("UPDATE retention SET thinned_id = ?1")
            .bind(last)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes some of what is to be. Whether there may be more.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database refuses it.
    pub async fn remove(&self) -> Result<bool, EvidenceError> {
        let mut transaction = self.write().await?;
        let before = read(&mut transaction).await?.removed_before_ms;
        let mut more = remove_heads(&mut transaction, before).await?;
        for delete in [
            "DELETE FROM attempts WHERE id IN (
                 SELECT id FROM attempts WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
            "DELETE FROM alerts WHERE place IN (
                 SELECT place FROM alerts WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
        ] {
            let gone =
                sqlx::query(delete).bind(before).bind(ROWS).execute(&mut *transaction).await?;
            more |= gone.rows_affected() >= ROWS.unsigned_abs();
        }
        transaction.commit().await?;
        Ok(more)
    }
}

/// The next heads from before an instant, in the order of arrival.
async fn old_heads(
    transaction: &mut Write,
    after: i64,
    before: i64,
) -> Result<Vec<Old>, EvidenceError> {
    let heads: Vec<Old> = sqlx::query_as(
        "SELECT h.id, h.reported_at_ms, h.grants, CASE
             WHEN NOT h.ended
                 AND NOT EXISTS (SELECT 1 FROM audit_heads c
                     WHERE c.chain = h.chain AND c.seq = h.seq AND c.conflict IS NOT NULL)
                 AND NOT EXISTS (SELECT 1 FROM audit_heads c
                     WHERE c.chain = h.chain AND c.seq = h.seq AND c.other_configuration = 1)
                 AND EXISTS (SELECT 1 FROM audit_heads l WHERE l.chain = h.chain
                     AND l.proxy = h.proxy AND l.node = h.node AND l.seq < h.seq)
             THEN (SELECT n.id FROM audit_heads n WHERE n.chain = h.chain AND n.proxy = h.proxy
                 AND n.node = h.node AND n.seq > h.seq
                 AND n.reported_at_ms / 3600000 = h.reported_at_ms / 3600000
                 AND n.conflict IS NULL AND n.other_configuration = 0 ORDER BY n.seq LIMIT 1)
             END AS next
         FROM audit_heads h WHERE h.id > ?1 ORDER BY h.id LIMIT ?2",
    )
    .bind(after)
    .bind(ROWS)
    .fetch_all(&mut **transaction)
    .await?;
    Ok(heads.into_iter().take_while(|head| head.reported_at_ms < before).collect())
}

async fn thin(transaction: &mut Write, heads: Vec<Old>) -> Result<(), EvidenceError> {
    // The counts that heads take over, by the head's id. A head can take them over and go itself.
    let mut merged: HashMap<i64, BTreeMap<String, i64>> = HashMap::new();
    let mut gone = Vec::new();
    for Old { id, grants, next, .. } in heads {
        let own = merged.remove(&id).unwrap_or(grants);
        let Some(next) = next else {
            merged.insert(id, own);
            continue;
        };
        let mut taken_over = match merged.remove(&next) {
            Some(taken_over) => taken_over,
            None => grants_of(transaction, next).await?,
        };
        let before = taken_over.clone();
        for (grant, count) in &own {
            let known = taken_over.entry(grant.clone()).or_default();
            *known = (*known).max(*count);
        }
        if taken_over != before && size(&taken_over) > MAX_MERGED_BYTES {
            merged.insert(next, before);
            merged.insert(id, own);
            continue;
        }
        merged.insert(next, taken_over);
        gone.push(id);
    }
    let gone: BTreeSet<i64> = gone.into_iter().collect();
    for (id, grants) in merged {
        if gone.contains(&id) {
            continue;
        }
        sqlx::query("UPDATE audit_heads SET grants = ?1 WHERE id = ?2 AND grants <> ?1")
            .bind(Json(&grants))
            .bind(id)
            .execute(&mut **transaction)
            .await?;
    }
    for id in gone {
        let result = sqlx::query("DELETE FROM audit_heads WHERE id = ?1")
            .bind(id)
            .execute(&mut **transaction)
            .await?;
        exactly_one(&result)?;
    }
    Ok(())
}

async fn grants_of(
    transaction: &mut Write,
    head: i64,
) -> Result<BTreeMap<String, i64>, EvidenceError> {
    let Json(grants) = sqlx::query_scalar("SELECT grants FROM audit_heads WHERE id = ?1")
        .bind(head)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(grants)
}

/// About the size of these counts as JSON.
fn size(grants: &BTreeMap<String, i64>) -> usize {
    grants.keys().map(|grant| grant.len().saturating_add(8)).fold(0, usize::saturating_add)
}

/// Removes some heads, and the chains of which none is left. Whether there may be more.
async fn remove_heads(transaction: &mut Write, before: i64) -> Result<bool, EvidenceError> {
    let old: Vec<(i64, String, String, String)> = sqlx::query_as(
        "SELECT id, chain, proxy, node FROM audit_heads h WHERE reported_at_ms < ?1
           AND NOT EXISTS (SELECT 1 FROM audit_reporters r WHERE r.chain = h.chain
               AND r.proxy = h.proxy AND r.node = h.node AND r.head_id = h.id AND r.seen_at_ms >= ?1)
         ORDER BY reported_at_ms LIMIT ?2",
    )
    .bind(before)
    .bind(ROWS)
    .fetch_all(&mut **transaction)
    .await?;
    let more = i64::try_from(old.len()).is_ok_and(|count| count >= ROWS);
    let mut reporters = BTreeSet::new();
    for (id, chain, proxy, node) in old {
        let result = sqlx::query("DELETE FROM audit_heads WHERE id = ?1")
            .bind(id)
            .execute(&mut **transaction)
            .await?;
        exactly_one(&result)?;
        reporters.insert((chain, proxy, node));
    }
    for (chain, proxy, node) in reporters {
        sqlx::query(
            "DELETE FROM audit_reporters WHERE chain = ?1 AND proxy = ?2 AND node = ?3
               AND seen_at_ms < ?4 AND NOT EXISTS (SELECT 1 FROM audit_heads
                   WHERE chain = ?1 AND proxy = ?2 AND node = ?3)",
        )
        .bind(chain)
        .bind(proxy)
        .bind(node)
        .bind(before)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(more)
}
