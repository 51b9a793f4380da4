//! The list of reported heads, in pages whose size and work are bounded.
//!
//! Without `since` it is every report, in the order of arrival. With `since` it has two parts:
//! 1. for every reporter of a chain its highest head from before that instant, with the highest count of
//!    every grant that it gave until then, in the order in which the reporters were first heard of;
//! 2. every report of that instant or later, in the order of arrival.
//!
//! `after` is a number that only grows from page to page: [`Position`] says what it means.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::{Sqlite, Transaction};

use super::reported_head::ReportedHead;
use super::{Evidence, EvidenceError, Retention, retention};
use crate::clock::Moment;

/// About the size of one page, in bytes of JSON. One head can have as many grants as a report holds: a
/// thousand of them would be a gigabyte.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The most grants of one head in the first part. A head with more is there several times, each time with
/// other grants.
const GRANTS: i64 = 10_000;

/// About how many rows are read for one page.
const WORK: i64 = 100_000;

/// Which heads to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadFilter<'a> {
    /// `next` of the page before, or 0.
    pub after: i64,
    /// Reported at this moment or later, and where each chain was before it.
    pub since: Option<Moment>,
    /// Of this chain.
    pub chain: Option<&'a str>,
    /// Of this node.
    pub node: Option<&'a str>,
    /// At most this many.
    pub limit: usize,
}

/// A part of the list.
#[derive(Debug, Default)]
pub struct HeadPage {
    /// The heads.
    pub heads: Vec<ReportedHead>,
    /// `after` of the next page, if there is one.
    pub next: Option<i64>,
    /// What retention had taken away when it was read.
    pub retention: Retention,
    bytes: usize,
    work: i64,
}

impl HeadPage {
    /// Takes the head, if there is room.
    fn add(&mut self, head: ReportedHead, limit: usize) -> bool {
        let bytes = self.bytes.saturating_add(head.bytes());
        let full = self.heads.len() >= limit || bytes > PAGE_BYTES;
        if full && !self.heads.is_empty() {
            return false;
        }
        self.bytes = bytes;
        self.heads.push(head);
        true
    }
}

/// Where a page of a list with `since` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// In the first part: at this reporter, and this part of its grants.
    Before { reporter: i64, part: i64 },
    /// In the second part: after this head.
    After(i64),
}

impl Position {
    /// Where the second part begins: JSON numbers are exact up to twice that.
    const SECOND: i64 = 1 << 52;
    /// More than the parts that the grants of one reporter have.
    const PARTS: i64 = 1 << 12;

    fn of(number: i64) -> Position {
        match number.checked_sub(Position::SECOND) {
            Some(head) if head >= 0 => Position::After(head),
            _ => Position::Before {
                reporter: number.div_euclid(Position::PARTS),
                part: number.rem_euclid(Position::PARTS),
            },
        }
    }

    fn number(self) -> i64 {
        match self {
            Position::Before { reporter, part } => {
                reporter.saturating_mul(Position::PARTS).saturating_add(part)
            }
            Position::After(head) => Position::SECOND.saturating_add(head),
        }
    }
}

/// A reporter of a chain: a credential and a node.
#[derive(sqlx::FromRow)]
struct ChainReporter {
    id: i64,
    chain: String,
    proxy: String,
    node: String,
    head_id: i64,
    head_ms: i64,
    last_ms: i64,
    heads: i64,
}

/// Selects heads with whose they are and when they were last seen.
macro_rules! select_heads {
    ($rest:literal) => {
        concat!(
            "SELECT h.id, h.reported_at_ms, h.proxy, h.node, h.process, h.chain, h.seq, h.hash, h.began,
                 h.ended, h.grants, h.conflict, h.other_configuration,
                 coalesce(h.configuration, r.configuration) AS configuration,
                 CASE WHEN r.head_id = h.id THEN r.seen_at_ms ELSE h.reported_at_ms END
                     AS seen_at_ms,
                 o.owner, o.proven
             FROM audit_heads h
             JOIN audit_reporters r ON r.chain = h.chain AND r.proxy = h.proxy AND r.node = h.node
             JOIN audit_chain_owners o ON o.id = coalesce(
                 (SELECT id FROM audit_chain_owners
                  WHERE chain = h.chain AND owner = h.proxy AND proven),
                 (SELECT id FROM audit_chain_owners
                  WHERE chain = h.chain ORDER BY proven DESC, id LIMIT 1))
             WHERE ",
            $rest
        )
    };
}

/// Selects the reporters that reported something before an instant.
macro_rules! select_reporters {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.chain, r.proxy, r.node, r.head_id, h.reported_at_ms AS head_ms,
                 r.last_ms, r.heads
             FROM audit_reporters r JOIN audit_heads h ON h.id = r.head_id
             WHERE r.id >= ?1 AND r.first_ms < ?2 AND (?3 IS NULL OR r.node = ?3)",
            $rest,
            " ORDER BY r.id LIMIT ?4"
        )
    };
}

impl Evidence {
    /// The first heads that `filter` lets through.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn heads(&self, filter: HeadFilter<'_>) -> Result<HeadPage, EvidenceError> {
        // One transaction: all of a page is as of one moment.
        let mut transaction = self.readers()?.begin().await?;
        let retention = retention::read(&mut transaction).await?;
        let mut page = HeadPage { retention, ..HeadPage::default() };
        let Some(since) = filter.since else {
            page.next = reports(&mut transaction, &filter, filter.after, &mut page).await?;
            return Ok(page);
        };
        let after = match Position::of(filter.after) {
            Position::After(head) => head,
            Position::Before { reporter, part } => {
                let from = (reporter, part);
                let next = before(&mut transaction, &filter, since, from, &mut page).await?;
                if let Some((reporter, part)) = next {
                    page.next = Some(Position::Before { reporter, part }.number());
                    return Ok(page);
                }
                let first: Option<i64> = sqlx::query_scalar(
                    "SELECT min(id) FROM audit_heads WHERE reported_at_ms >= ?1",
                )
                .bind(since.millis())
                .fetch_one(&mut *transaction)
                .await?;
                let Some(first) = first else { return Ok(page) };
                first.saturating_sub(1)
            }
        };
        let next = reports(&mut transaction, &filter, after, &mut page).await?;
        page.next = next.map(|head| Position::After(head).number());
        Ok(page)
    }
}

/// Adds reports after the one with the id `after`, and returns after which one the next page goes on.
async fn reports(
    transaction: &mut Transaction<'static, Sqlite>,
    filter: &HeadFilter<'_>,
    mut after: i64,
    page: &mut HeadPage,
) -> Result<Option<i64>, EvidenceError> {
    // The plus keeps SQLite at the order of arrival: an index on the time would mean sorting for each page.
    let query = match filter.chain {
        None => select_heads!(
            "h.id > ?1 AND (?2 IS NULL OR +h.reported_at_ms >= ?2)
               AND (?3 IS NULL OR h.node = ?3) ORDER BY h.id LIMIT ?4"
        ),
        Some(_) => select_heads!(
            "h.id IN (
                 SELECT id FROM audit_heads
                 WHERE chain = ?5 AND id > ?1 AND (?2 IS NULL OR +reported_at_ms >= ?2)
                   AND (?3 IS NULL OR node = ?3) ORDER BY id LIMIT ?4)
             ORDER BY h.id"
        ),
    };
    let room = filter.limit.saturating_sub(page.heads.len()).saturating_add(1);
    let mut found = sqlx::query_as::<_, ReportedHead>(query)
        .bind(after)
        .bind(filter.since.map(Moment::millis))
        .bind(filter.node)
        .bind(i64::try_from(room).unwrap_or(i64::MAX))
        .bind(filter.chain)
        .fetch(&mut **transaction);
    while let Some(head) = found.try_next().await? {
        let id = head.id;
        if !page.add(head, filter.limit) {
            return Ok(Some(after));
        }
        after = id;
    }
    Ok(None)
}

/// Adds the highest head of each reporter from before `since`, from this reporter and this part of its
/// grants on, and returns where the next page goes on.
async fn before(
    transaction: &mut Transaction<'static, Sqlite>,
    filter: &HeadFilter<'_>,
    since: Moment,
    (first, mut part): (i64, i64),
    page: &mut HeadPage,
) -> Result<Option<(i64, i64)>, EvidenceError> {
    let mut from = first;
    loop {
        let reporters = reporters(transaction, filter, since, from).await?;
        let Some(last) = reporters.last().map(|reporter| reporter.id) else { return Ok(None) };
        for reporter in reporters {
            if reporter.id != first {
                part = 0;
            }
            // What has gone on since then takes a search in its reports.
            let live = reporter.last_ms >= since.millis();
            page.work = page.work.saturating_add(if live { reporter.heads } else { 1 });
            if page.work > WORK && reporter.id != first {
                return Ok(Some((reporter.id, 0)));
            }
            let Some(mut head) = highest(transaction, &reporter, since).await? else { continue };
            loop {
                let (grants, more) = grants(transaction, &reporter, since, part).await?;
                head.grants = grants;
                if !page.add(head.clone(), filter.limit) {
                    return Ok(Some((reporter.id, part)));
                }
                if !more {
                    break;
                }
                part = part.saturating_add(1);
            }
        }
        from = last.saturating_add(1);
    }
}

async fn reporters(
    transaction: &mut Transaction<'static, Sqlite>,
    filter: &HeadFilter<'_>,
    since: Moment,
    from: i64,
) -> Result<Vec<ChainReporter>, EvidenceError> {
    let query = match filter.chain {
        None => select_reporters!(""),
        Some(_) => select_reporters!(" AND r.chain = ?5"),
    };
    Ok(sqlx::query_as(query)
        .bind(from)
        .bind(since.millis())
        .bind(filter.node)
        .bind(i64::try_from(filter.limit.saturating_add(1)).unwrap_or(i64::MAX))
        .bind(filter.chain)
        .fetch_all(&mut **transaction)
        .await?)
}

/// The highest head that this reporter reported before `since`.
async fn highest(
    transaction: &mut Transaction<'static, Sqlite>,
    reporter: &ChainReporter,
    since: Moment,
) -> Result<Option<ReportedHead>, EvidenceError> {
    let id = if reporter.head_ms < since.millis() {
        Some(reporter.head_id)
    } else {
        sqlx::query_scalar(
            "SELECT id FROM audit_heads
             WHERE chain = ?1 AND proxy = ?2 AND node = ?3 AND reported_at_ms < ?4
             ORDER BY seq DESC, id DESC LIMIT 1",
        )
        .bind(&reporter.chain)
        .bind(&reporter.proxy)
        .bind(&reporter.node)
        .bind(since.millis())
        .fetch_optional(&mut **transaction)
        .await?
    };
    Ok(sqlx::query_as(select_heads!("h.id = ?1"))
        .bind(id)
        .fetch_optional(&mut **transaction)
        .await?)
}

/// A part of the highest counts that this reporter gave before `since`, and whether there are more.
async fn grants(
    transaction: &mut Transaction<'static, Sqlite>,
    reporter: &ChainReporter,
    since: Moment,
    part: i64,
) -> Result<(BTreeMap<String, i64>, bool), EvidenceError> {
    let query = if reporter.last_ms < since.millis() {
        "SELECT grant_id, count FROM audit_reporter_grants WHERE reporter = ?1
         ORDER BY grant_id LIMIT ?2 OFFSET ?3"
    } else {
        "SELECT named.key, max(named.value) FROM audit_heads h JOIN json_each(h.grants) AS named
         WHERE h.chain = ?4 AND h.proxy = ?5 AND h.node = ?6 AND h.reported_at_ms < ?7
           AND EXISTS (SELECT 1 FROM audit_reporter_grants WHERE reporter = ?1)
         GROUP BY named.key ORDER BY named.key LIMIT ?2 OFFSET ?3"
    };
    let mut found: Vec<(String, i64)> = sqlx::query_as(query)
        .bind(reporter.id)
        .bind(GRANTS.saturating_add(1))
        .bind(part.saturating_mul(GRANTS))
        .bind(&reporter.chain)
        .bind(&reporter.proxy)
        .bind(&reporter.node)
        .bind(since.millis())
        .fetch_all(&mut **transaction)
        .await?;
    let room = usize::try_from(GRANTS).unwrap_or(usize::MAX);
    let more = found.len() > room;
    found.truncate(room);
    Ok((found.into_iter().collect(), more))
}
