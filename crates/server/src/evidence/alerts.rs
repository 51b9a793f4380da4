//! The alerts of proxies: the rows.
//!
//! An alert is judged ([`super::alert_ledger`]) in the transaction that writes its outcome, so that a budget survives a
//! restart, and two reports at once cannot both have its last page.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use breakglass_types::alerts::Class;
use serde_json::json;
use sqlx::types::Json;

use super::alert::{NewAlert, counted_as};
use super::alert_ledger::{Ledger, Outcome, hour, same_since};
use super::alert_reports::{self, ReportKey};
use super::{AlertTurn, Evidence, EvidenceError, alert_summaries};
use crate::clock::Moment;
use crate::random::Randomness;
use crate::store::exactly_one;
use crate::store::write::Write;

/// Before the random part of an alert's id.
const ID: &str = "alert";

/// What became of a report.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeptAlerts {
    /// Whether it was kept before: then nothing came of it now.
    pub repeated: bool,
    /// What became of each alert, in their order.
    pub outcomes: Vec<Outcome>,
    /// The classes of which it was said how many came without a page.
    pub summaries: Vec<Class>,
}

impl Evidence {
    /// Keeps the alerts of one report by the credential whose turn it is: all, or none. `budget` is how many pages a class has
    /// an hour, and `report` is by what the report is known, where the proxy says it.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database refuses them.
    pub async fn keep_alerts(
        &self,
        now: Moment,
        randomness: &Randomness,
        turn: &AlertTurn,
        budget: usize,
        alerts: &[NewAlert],
        report: Option<ReportKey<'_>>,
    ) -> Result<KeptAlerts, EvidenceError> {
        let proxy = turn.proxy.as_str();
        let mut transaction = self.write().await?;
        if let Some(report) = report
            && alert_reports::is_repeated(&mut transaction, now, proxy, report).await?
        {
            transaction.rollback().await?;
            return Ok(KeptAlerts { repeated: true, ..KeptAlerts::default() });
        }
        // First, because a page of it is one of the budget.
        let mut place = 0;
        let mut summaries = Vec::new();
        for due in alert_summaries::due_of(&mut transaction, now, proxy).await? {
            let summary = due.summary();
            place = insert(&mut transaction, now, randomness, proxy, &summary, true).await?;
            summaries.push(summary.class);
        }
        let mut ledger = ledger(&mut transaction, now, proxy, budget, alerts).await?;
        let outcomes = ledger.judge(now, alerts);
        let counts = counts(alerts, &outcomes);
        for ((number, alert), outcome) in alerts.iter().enumerate().zip(&outcomes) {
            if let Outcome::Paged | Outcome::Unpaged = outcome {
                let count = counts.within.get(&number).copied().unwrap_or(alert.count);
                let alert = NewAlert { count, ..alert.clone() };
                let page = *outcome == Outcome::Paged;
                place = insert(&mut transaction, now, randomness, proxy, &alert, page).await?;
            }
        }
        count_more(&mut transaction, now, &counts.with).await?;
        for (class, unpaged) in &ledger.unpaged {
            alert_summaries::keep(&mut transaction, proxy, *class, unpaged).await?;
        }
        transaction.commit().await?;
        self.alerts_came(place);
        Ok(KeptAlerts { repeated: false, outcomes, summaries })
    }

    /// Says how many alerts came without a page, of each credential and class whose hour is over. Of which classes.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database refuses it.
    pub async fn say_unpaged_alerts(
        &self,
        now: Moment,
        randomness: &Randomness,
    ) -> Result<Vec<Class>, EvidenceError> {
        if !alert_summaries::is_one_due(&self.readers()?, now).await? {
            return Ok(Vec::new());
        }
        let mut transaction = self.write().await?;
        let (mut place, mut summaries) = (0, Vec::new());
        for due in alert_summaries::due(&mut transaction, now).await? {
            let summary = due.summary();
            place = insert(&mut transaction, now, randomness, &due.proxy, &summary, true).await?;
            summaries.push(summary.class);
        }
        transaction.commit().await?;
        self.alerts_came(place);
        Ok(summaries)
    }

    fn alerts_came(&self, place: i64) {
        self.alert_places.send_if_modified(|last| {
            let is_new = place > *last;
            *last = place.max(*last);
            is_new
        });
    }
}

/// What the credential has had, as far as these alerts need it.
async fn ledger(
    transaction: &mut Write,
    now: Moment,
    proxy: &str,
    budget: usize,
    alerts: &[NewAlert],
) -> Result<Ledger, EvidenceError> {
    let (after, until) = hour(now);
    let kinds: BTreeSet<&str> = alerts.iter().map(|alert| counted_as(&alert.kind)).collect();
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT named.value, (SELECT count(*) FROM alerts
             WHERE proxy = ?2 AND bound = named.value AND at_ms > ?3 AND at_ms <= ?4)
         FROM json_each(?1) AS named",
    )
    .bind(Json(&kinds))
    .bind(proxy)
    .bind(after)
    .bind(until)
    .fetch_all(&mut **transaction)
    .await?;
    let mut pages = HashMap::new();
    for class in Class::ALL.into_iter().filter(|class| alerts.iter().any(|one| one.class == *class))
    {
        let times: Vec<i64> = sqlx::query_scalar(
            "SELECT at_ms FROM alerts WHERE proxy = ?1 AND class = ?2 AND page = 1
               AND at_ms > ?3 AND at_ms <= ?4 ORDER BY at_ms DESC LIMIT ?5",
        )
        .bind(proxy)
        .bind(class.word())
        .bind(after)
        .bind(until)
        .bind(i64::try_from(budget).unwrap_or(i64::MAX))
        .fetch_all(&mut **transaction)
        .await?;
        pages.insert(class, times);
    }
    let named: Vec<_> = alerts
        .iter()
        .map(|one| json!([one.kind, one.merges, same_since(&one.kind, now)]))
        .collect();
    let same: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT kept.kind, kept.merges, max(kept.place)
         FROM json_each(?1) AS named CROSS JOIN alerts AS kept
         WHERE kept.proxy = ?2 AND kept.kind = json_extract(named.value, '$[0]')
           AND kept.merges = json_extract(named.value, '$[1]')
           AND kept.at_ms > json_extract(named.value, '$[2]') AND kept.at_ms <= ?3
         GROUP BY kept.kind, kept.merges",
    )
    .bind(Json(&named))
    .bind(proxy)
    .bind(until)
    .fetch_all(&mut **transaction)
    .await?;
    Ok(Ledger {
        budget,
        rows: rows.into_iter().collect(),
        pages,
        unpaged: alert_summaries::of(transaction, proxy).await?,
        same: same
            .into_iter()
            .map(|(kind, merges, place)| ((kind, merges), Outcome::CountedWith(place)))
            .collect(),
    })
}

/// How many things rows stand for.
struct Counts {
    /// The new ones with what came in the same report, by their number in it.
    within: HashMap<usize, i64>,
    /// How many more those of before stand for, by their place.
    with: BTreeMap<i64, i64>,
}

fn counts(alerts: &[NewAlert], outcomes: &[Outcome]) -> Counts {
    let mut counts = Counts { within: HashMap::new(), with: BTreeMap::new() };
    for ((number, alert), outcome) in alerts.iter().enumerate().zip(outcomes) {
        let count = match outcome {
            Outcome::Paged | Outcome::Unpaged => counts.within.entry(number).or_default(),
            Outcome::CountedWithin(first) => counts.within.entry(*first).or_default(),
            Outcome::CountedWith(place) => counts.with.entry(*place).or_default(),
            Outcome::Counted => continue,
        };
        *count = count.saturating_add(alert.count);
    }
    counts
}

/// Writes a row, and returns its place.
async fn insert(
    transaction: &mut Write,
    now: Moment,
    randomness: &Randomness,
    proxy: &str,
    alert: &NewAlert,
    page: bool,
) -> Result<i64, EvidenceError> {
    let result = sqlx::query(
        "INSERT INTO alerts (id, at_ms, seen_ms, proxy, kind, class, bound, merges, page, grant_id, count, body)
         VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(randomness.id(ID, now))
    .bind(now.millis())
    .bind(proxy)
    .bind(&alert.kind)
    .bind(alert.class.word())
    .bind(counted_as(&alert.kind))
    .bind(&alert.merges)
    .bind(page)
    .bind(&alert.grant)
    .bind(alert.count)
    .bind(Json(&alert.data))
    .execute(&mut **transaction)
    .await?;
    exactly_one(&result)?;
    Ok(result.last_insert_rowid())
}

/// Counts what came again.
async fn count_more(
    transaction: &mut Write,
    now: Moment,
    more: &BTreeMap<i64, i64>,
) -> Result<(), EvidenceError> {
    for (place, count) in more {
        // A count of two proxies that lie is no reason to fail: it stays where an integer ends.
        let result = sqlx::query(
            "UPDATE alerts SET count = CASE WHEN count > ?3 - ?2 THEN ?3 ELSE count + ?2 END,
                 seen_ms = max(seen_ms, ?4) WHERE place = ?1",
        )
        .bind(place)
        .bind(count)
        .bind(i64::MAX)
        .bind(now.millis())
        .execute(&mut **transaction)
        .await?;
        exactly_one(&result)?;
    }
    Ok(())
}
