//! What waits at each sink: queued as it is read, tried one after the other of each line, kept until it has been delivered or
//! given up. All SQL of deliveries is here and in [`super::cursor`] and [`super::list`].

use sqlx::SqliteConnection;

use super::database::Database;
use super::list::ReplayTo;
use super::takers::Taker;
use crate::clock::Moment;
use crate::sinks::Notice;
use crate::store::StoreError;

/// The most deliveries that wait at one sink: what comes beyond is a dead letter at once.
const MAX_WAITING: i64 = 100_000;

/// What is older is not tried any more, in milliseconds: also where the service did not run, or did not have the sink.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long what has ended is kept, in milliseconds.
const KEPT_MS: i64 = 30 * DAY_MS;

/// How many rows one step of the sweep removes.
const SWEPT: i64 = 500;

/// A delivery that is to be tried now.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Due {
    /// Its place.
    pub(super) id: i64,
    /// The line that it is the first of.
    pub(super) line: String,
    /// The event's id.
    pub(super) event: String,
    /// The person to whom it goes; empty where the sink does not write to people.
    pub(super) recipient: String,
    /// How often it was tried, this time included.
    pub(super) attempts: i64,
    /// When it was queued, in milliseconds.
    pub(super) queued_ms: i64,
    /// What is told, as JSON.
    pub(super) notice: String,
}

impl Due {
    /// When the event happened, in milliseconds; `None` where the notice cannot be read.
    pub(super) fn happened_ms(&self) -> Option<i64> {
        serde_json::from_str(&self.notice).ok().map(|Notice { time_ms, .. }| time_ms)
    }
}

/// What was taken to be tried.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// What is to be tried.
    pub(super) due: Vec<Due>,
    /// The events of which a delivery was given up untried.
    pub(super) given_up: Vec<String>,
}

/// How a delivery goes on after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The receiver took it.
    Delivered,
    /// It is given up.
    Dead,
    /// It is tried again then, in milliseconds.
    Again(i64),
}

/// Queues an event for these takers. What was queued before stays as it is.
pub(super) async fn queue(
    connection: &mut SqliteConnection,
    now: Moment,
    notice: &Notice,
    takers: &[Taker],
) -> Result<(), StoreError> {
    if takers.is_empty() {
        return Ok(());
    }
    let text = serde_json::to_string(notice).unwrap_or_default();
    sqlx::query(
        "INSERT INTO notices (id, queued_ms, notice) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )
    .bind(&notice.id)
    .bind(now.millis())
    .bind(text)
    .execute(&mut *connection)
    .await?;
    for Taker { sink, person } in takers {
        sqlx::query("INSERT INTO sinks (name) VALUES (?1) ON CONFLICT DO NOTHING")
            .bind(sink)
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "INSERT INTO deliveries (event, sink, line, state, attempts, next_ms, queued_ms, ended_ms, outcome, recipient)
             SELECT ?1, ?2, ?3, state, 0, ?4, ?4, iif(state = 'dead', ?4, NULL),
                 iif(state = 'dead', 'too many deliveries wait at this sink', NULL), ?6
             FROM (SELECT CASE
                 WHEN (SELECT count(*) FROM (SELECT 1 FROM deliveries
                     WHERE sink = ?2 AND state <> 'delivered' AND state IN ('behind', 'due') LIMIT ?5)) >= ?5 THEN 'dead'
                 WHEN EXISTS (SELECT 1 FROM deliveries WHERE sink = ?2 AND line = ?3 AND recipient = ?6 AND state = 'due')
                     THEN 'behind'
                 ELSE 'due' END AS state)
             WHERE true ON CONFLICT DO NOTHING",
        )
        .bind(&notice.id)
        .bind(sink)
        .bind(notice.line())
        .bind(now.millis())
        .bind(MAX_WAITING)
        .bind(person)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

impl Database {
    /// When the next delivery of this sink is to be tried, in milliseconds.
    pub(super) async fn next_due(&self, sink: &str) -> Result<Option<i64>, StoreError> {
        let first = "SELECT min(next_ms) FROM deliveries WHERE sink = ?1 AND state = 'due'";
        Ok(sqlx::query_scalar(first).bind(sink).fetch_one(&self.readers).await?)
    }

    /// Takes what is to be tried now, at most so many. Until `failed_ms` no other attempt takes it: what becomes of the
    /// process meanwhile, it is tried again then. What has waited for more than a day is given up.
    pub(super) async fn take_due(
        &self,
        now: Moment,
        sink: &str,
        failed_ms: i64,
        most: usize,
    ) -> Result<Taken, StoreError> {
        let mut change = self.write().await?;
        let stale: Vec<(i64, String, String, String)> = sqlx::query_as(
            "UPDATE deliveries SET state = 'dead', ended_ms = ?2,
                 outcome = coalesce(outcome, 'it waited for more than a day, and was not tried')
             WHERE id IN (SELECT id FROM deliveries WHERE sink = ?1 AND state = 'due' AND state <> 'delivered'
                 AND queued_ms < ?3 AND +next_ms <= ?2)
             RETURNING id, line, recipient, event",
        )
        .bind(sink)
        .bind(now.millis())
        .bind(now.millis().saturating_sub(DAY_MS))
        .fetch_all(&mut *change)
        .await?;
        for (_, line, recipient, _) in &stale {
            promote(&mut change, now, sink, line, recipient).await?;
        }
        let due = sqlx::query_as(
            "UPDATE deliveries SET attempts = attempts + 1, next_ms = ?3
             WHERE id IN (SELECT id FROM deliveries WHERE sink = ?1 AND state = 'due' AND next_ms <= ?2
                 ORDER BY next_ms, id LIMIT ?4)
             RETURNING id, line, event, recipient, attempts, queued_ms,
                 (SELECT notice FROM notices WHERE notices.id = deliveries.event) AS notice",
        )
        .bind(sink)
        .bind(now.millis())
        .bind(failed_ms)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *change)
        .await?;
        change.commit().await?;
        Ok(Taken { due, given_up: stale.into_iter().map(|(.., event)| event).collect() })
    }

    /// Writes down what came of an attempt; after the last one, the next of the line has its turn.
    pub(super) async fn settle(
        &self,
        now: Moment,
        sink: &str,
        due: &Due,
        next: Next,
        outcome: &str,
    ) -> Result<(), StoreError> {
        let (state, next_ms, ended_ms) = match next {
            Next::Delivered => ("delivered", now.millis(), Some(now.millis())),
            Next::Dead => ("dead", now.millis(), Some(now.millis())),
            Next::Again(at) => ("due", at, None),
        };
        let mut change = self.write().await?;
        sqlx::query(
            "UPDATE deliveries SET state = ?2, next_ms = ?3, ended_ms = ?4, outcome = ?5 WHERE id = ?1 AND state = 'due'",
        )
        .bind(due.id)
        .bind(state)
        .bind(next_ms)
        .bind(ended_ms)
        .bind(outcome)
        .execute(&mut *change)
        .await?;
        if ended_ms.is_some() {
            promote(&mut change, now, sink, &due.line, &due.recipient).await?;
        }
        change.commit().await
    }

    /// When a worker begins: times that a clock which was wrong has set far ahead are taken back.
    pub(super) async fn take_back_times(
        &self,
        now: Moment,
        sink: &str,
        longest_ms: i64,
    ) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        sqlx::query(
            "UPDATE deliveries SET next_ms = ?1 WHERE sink = ?2 AND state = 'due' AND next_ms > ?3",
        )
        .bind(now.millis())
        .bind(sink)
        .bind(now.millis().saturating_add(longest_ms))
        .execute(&mut *change)
        .await?;
        change.commit().await
    }

    /// Whether an event was queued for any of these.
    pub(super) async fn has(&self, event: &str, to: ReplayTo<'_>) -> Result<bool, StoreError> {
        let has = "SELECT EXISTS (SELECT 1 FROM deliveries
                       WHERE event = ?1 AND (?2 IS NULL OR sink = ?2) AND (?3 IS NULL OR recipient = ?3))";
        let has = sqlx::query_scalar(has).bind(event).bind(to.sink).bind(to.recipient);
        Ok(has.fetch_one(&self.readers).await?)
    }

    /// Queues an event again, for all that it was queued for or some of them: the names of the sinks.
    pub(super) async fn replay(
        &self,
        now: Moment,
        event: &str,
        to: ReplayTo<'_>,
    ) -> Result<Vec<String>, StoreError> {
        let mut change = self.write().await?;
        let found: Vec<(i64, String, String, String)> = sqlx::query_as(
            "SELECT id, sink, line, recipient FROM deliveries
             WHERE event = ?1 AND (?2 IS NULL OR sink = ?2) AND (?3 IS NULL OR recipient = ?3) ORDER BY sink, recipient",
        )
        .bind(event)
        .bind(to.sink)
        .bind(to.recipient)
        .fetch_all(&mut *change)
        .await?;
        for (id, sink, line, recipient) in &found {
            sqlx::query(
                "UPDATE deliveries SET attempts = 0, next_ms = ?2, queued_ms = ?2, ended_ms = NULL, state = CASE
                     WHEN state IN ('due', 'behind') THEN state
                     WHEN EXISTS (SELECT 1 FROM deliveries AS other
                         WHERE other.sink = ?3 AND other.line = ?4 AND other.recipient = ?5 AND other.state = 'due')
                         THEN 'behind'
                     ELSE 'due' END
                 WHERE id = ?1",
            )
            .bind(id)
            .bind(now.millis())
            .bind(sink)
            .bind(line)
            .bind(recipient)
            .execute(&mut *change)
            .await?;
        }
        change.commit().await?;
        let mut sinks: Vec<String> = found.into_iter().map(|(_, sink, ..)| sink).collect();
        sinks.dedup();
        Ok(sinks)
    }

    /// Removes some of what ended 30 days ago; whether there may be more.
    pub(super) async fn sweep(&self, now: Moment) -> Result<bool, StoreError> {
        let before = now.millis().saturating_sub(KEPT_MS);
        let mut change = self.write().await?;
        let mut removed = 0_u64;
        for statement in [
            "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries
                 WHERE ended_ms IS NOT NULL AND ended_ms < ?1 LIMIT ?2)",
            "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE queued_ms < ?1
                 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = notices.id) LIMIT ?2)",
            // The last place of a source is where it is gone on from.
            "DELETE FROM places WHERE (source, place) IN (SELECT source, place FROM places WHERE read_ms < ?1
                 AND place < (SELECT sources.place FROM sources WHERE sources.source = places.source) LIMIT ?2)",
        ] {
            let result = sqlx::query(statement).bind(before).bind(SWEPT).execute(&mut *change).await?;
            removed = removed.max(result.rows_affected());
        }
        change.commit().await?;
        Ok(removed >= SWEPT.unsigned_abs())
    }
}

/// The next of a line has its turn.
async fn promote(
    connection: &mut SqliteConnection,
    now: Moment,
    sink: &str,
    line: &str,
    recipient: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE deliveries SET state = 'due', next_ms = ?3
         WHERE id = (SELECT min(id) FROM deliveries
                 WHERE sink = ?1 AND line = ?2 AND recipient = ?4 AND state = 'behind')
           AND NOT EXISTS (SELECT 1 FROM deliveries WHERE sink = ?1 AND line = ?2 AND recipient = ?4 AND state = 'due')",
    )
    .bind(sink)
    .bind(line)
    .bind(now.millis())
    .bind(recipient)
    .execute(connection)
    .await?;
    Ok(())
}
