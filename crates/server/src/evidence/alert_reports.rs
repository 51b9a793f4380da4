//! The last report of alerts of each sender: one that is made again, because its answer was lost, counts once.
//!
//! A sender has one report under way at a time, and makes it again as it was (`same-report` in the core), so that its last
//! one is enough. What counts is all that a report says and not its number alone: with a number that another one made up,
//! a stolen credential could keep a proxy's next report from being taken.

use sha2::{Digest as _, Sha256};

use super::EvidenceError;
use crate::clock::Moment;
use crate::store::exactly_one;
use crate::store::write::Write;

/// The most senders of one credential that are known: of more, those that were silent for the longest are forgotten.
pub const MAX_SENDERS: i64 = 1024;

/// By what a report is known that is made again.
#[derive(Debug, Clone, Copy)]
pub struct ReportKey<'a> {
    sender: &'a str,
    digest: [u8; 32],
}

impl<'a> ReportKey<'a> {
    /// The report of this sender with this number, which says this.
    #[must_use]
    pub fn new(sender: &'a str, number: u64, said: &[u8]) -> ReportKey<'a> {
        let digest = Sha256::new().chain_update(number.to_be_bytes()).chain_update(said);
        ReportKey { sender, digest: digest.finalize().into() }
    }
}

/// Whether it is the last report of its sender once more. If not, it is the last one from now on.
pub(super) async fn is_repeated(
    transaction: &mut Write,
    now: Moment,
    proxy: &str,
    report: ReportKey<'_>,
) -> Result<bool, EvidenceError> {
    let last: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT digest FROM alert_reports WHERE proxy = ?1 AND sender = ?2")
            .bind(proxy)
            .bind(report.sender)
            .fetch_optional(&mut **transaction)
            .await?;
    if last.as_deref() == Some(&report.digest) {
        return Ok(true);
    }
    let result = sqlx::query(
        "INSERT INTO alert_reports (proxy, sender, digest, seen_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (proxy, sender) DO UPDATE SET digest = excluded.digest, seen_ms = excluded.seen_ms",
    )
    .bind(proxy)
    .bind(report.sender)
    .bind(&report.digest[..])
    .bind(now.millis())
    .execute(&mut **transaction)
    .await?;
    exactly_one(&result)?;
    if last.is_none() {
        forget(transaction, proxy, report.sender).await?;
    }
    Ok(false)
}

/// Keeps as many senders as are known of one credential, that one among them.
async fn forget(transaction: &mut Write, proxy: &str, sender: &str) -> Result<(), EvidenceError> {
    sqlx::query(
        "DELETE FROM alert_reports WHERE proxy = ?1 AND sender IN (
             SELECT sender FROM alert_reports WHERE proxy = ?1 AND sender <> ?2
             ORDER BY seen_ms DESC LIMIT -1 OFFSET ?3)",
    )
    .bind(proxy)
    .bind(sender)
    .bind(MAX_SENDERS.saturating_sub(1))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
