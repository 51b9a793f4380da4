//! What came without a page, of each credential and class, until the hour is over; and the alert that then says how much it
//! was.

use std::collections::{BTreeMap, HashMap};

use breakglass_api::alerts::{AlertData, SUPPRESSED, SuppressedAlerts};
use breakglass_types::alerts::Class;
use sqlx::SqlitePool;
use sqlx::types::Json;

use super::EvidenceError;
use super::alert::NewAlert;
use super::alert_ledger::Unpaged;
use super::retention::HOUR_MS;
use crate::clock::{Moment, written};
use crate::limits::MAX_CLOCK_STEP_S;
use crate::store::write::Write;
use crate::store::{SERVICE, exactly_one};

/// How many are said in one transaction.
const SAID: i64 = 100;

/// A row.
#[derive(sqlx::FromRow)]
pub(super) struct Due {
    pub(super) proxy: String,
    class: String,
    since_ms: i64,
    alerts: i64,
    not_kept: i64,
    #[sqlx(json)]
    kinds: BTreeMap<String, i64>,
}

/// The beginnings of hours that are over: those up to the first, and those after the second, which a clock wrote that was
/// ahead.
fn over(now: Moment) -> (i64, i64) {
    let millis = now.millis();
    (millis.saturating_sub(HOUR_MS), millis.saturating_add(MAX_CLOCK_STEP_S.saturating_mul(1000)))
}

/// Whether there is one whose hour is over.
pub(super) async fn is_one_due(pool: &SqlitePool, now: Moment) -> Result<bool, EvidenceError> {
    let (until, from) = over(now);
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM alerts_unpaged WHERE since_ms <= ?1)
             OR EXISTS (SELECT 1 FROM alerts_unpaged WHERE since_ms > ?2)",
    )
    .bind(until)
    .bind(from)
    .fetch_one(pool)
    .await?)
}

/// Takes some of those whose hour is over.
pub(super) async fn due(transaction: &mut Write, now: Moment) -> Result<Vec<Due>, EvidenceError> {
    let (until, from) = over(now);
    let due: Vec<Due> = sqlx::query_as(
        "SELECT proxy, class, since_ms, alerts, not_kept, kinds FROM alerts_unpaged
         WHERE since_ms <= ?1 OR since_ms > ?2 LIMIT ?3",
    )
    .bind(until)
    .bind(from)
    .bind(SAID)
    .fetch_all(&mut **transaction)
    .await?;
    forget(transaction, &due).await?;
    Ok(due)
}

/// Takes those of one credential whose hour is over.
pub(super) async fn due_of(
    transaction: &mut Write,
    now: Moment,
    proxy: &str,
) -> Result<Vec<Due>, EvidenceError> {
    let (until, from) = over(now);
    let due: Vec<Due> = sqlx::query_as(
        "SELECT proxy, class, since_ms, alerts, not_kept, kinds FROM alerts_unpaged
         WHERE proxy = ?1 AND (since_ms <= ?2 OR since_ms > ?3)",
    )
    .bind(proxy)
    .bind(until)
    .bind(from)
    .fetch_all(&mut **transaction)
    .await?;
    forget(transaction, &due).await?;
    Ok(due)
}

async fn forget(transaction: &mut Write, due: &[Due]) -> Result<(), EvidenceError> {
    for Due { proxy, class, .. } in due {
        let result = sqlx::query("DELETE FROM alerts_unpaged WHERE proxy = ?1 AND class = ?2")
            .bind(proxy)
            .bind(class)
            .execute(&mut **transaction)
            .await?;
        exactly_one(&result)?;
    }
    Ok(())
}

/// What came of this credential without a page, of each class.
pub(super) async fn of(
    transaction: &mut Write,
    proxy: &str,
) -> Result<HashMap<Class, Unpaged>, EvidenceError> {
    let rows: Vec<Due> = sqlx::query_as(
        "SELECT proxy, class, since_ms, alerts, not_kept, kinds FROM alerts_unpaged WHERE proxy = ?1",
    )
    .bind(proxy)
    .fetch_all(&mut **transaction)
    .await?;
    Ok(rows.into_iter().map(|row| (row.class(), row.into())).collect())
}

/// Keeps what came without a page.
pub(super) async fn keep(
    transaction: &mut Write,
    proxy: &str,
    class: Class,
    unpaged: &Unpaged,
) -> Result<(), EvidenceError> {
    let result = sqlx::query(
        "INSERT INTO alerts_unpaged (proxy, class, since_ms, alerts, not_kept, kinds)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (proxy, class) DO UPDATE SET alerts = excluded.alerts, not_kept = excluded.not_kept,
             kinds = excluded.kinds",
    )
    .bind(proxy)
    .bind(class.word())
    .bind(unpaged.since_ms)
    .bind(unpaged.alerts)
    .bind(unpaged.not_kept)
    .bind(Json(&unpaged.kinds))
    .execute(&mut **transaction)
    .await?;
    Ok(exactly_one(&result)?)
}

impl Due {
    fn class(&self) -> Class {
        // The schema takes no other word.
        Class::from_word(&self.class).unwrap_or(Class::Filter)
    }

    /// The alert that says it: the service's own word.
    pub(super) fn summary(&self) -> NewAlert {
        let class = self.class();
        let suppressed = SuppressedAlerts {
            since: written(Moment::from_millis(self.since_ms)),
            alerts: self.alerts,
            not_kept: self.not_kept,
            kinds: self.kinds.clone(),
        };
        NewAlert {
            kind: SUPPRESSED.to_owned(),
            class,
            // Nothing is ever counted with it: no proxy can report this kind.
            merges: self.class.clone(),
            grant: None,
            count: self.alerts,
            data: AlertData {
                reported_by: SERVICE.to_owned(),
                proxy: self.proxy.clone(),
                node: None,
                process: None,
                class: class.into(),
                grant_known: None,
                alert: None,
                dropped: None,
                suppressed: Some(suppressed),
            },
        }
    }
}

impl From<Due> for Unpaged {
    fn from(Due { since_ms, alerts, not_kept, kinds, .. }: Due) -> Unpaged {
        Unpaged { since_ms, alerts, not_kept, kinds }
    }
}
