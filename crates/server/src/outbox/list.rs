//! Deliveries and sinks, for those who look at them.

use std::collections::BTreeMap;

use breakglass_api::told::ChannelState;

use super::database::Database;
use crate::sinks::Notice;
use crate::store::StoreError;

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place: those that were queued later have higher ones.
    pub id: i64,
    /// The sink.
    pub sink: String,
    /// The person to whom it goes; empty where the sink does not write to people.
    pub recipient: String,
    /// `behind`, `due`, `delivered` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, in milliseconds.
    pub next_ms: i64,
    /// When it was queued.
    pub queued_ms: i64,
    /// When it was delivered or given up.
    pub ended_ms: Option<i64>,
    /// What came of the last attempt.
    pub outcome: Option<String>,
    /// What is told.
    pub notice: Notice,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    sink: String,
    recipient: String,
    state: String,
    attempts: i64,
    next_ms: i64,
    queued_ms: i64,
    ended_ms: Option<i64>,
    outcome: Option<String>,
    notice: String,
}

/// A delivery of one event, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivered {
    /// The sink.
    pub(super) sink: String,
    /// The person; empty where the sink does not write to people.
    pub(super) person: String,
    /// What has become of it.
    pub(super) state: ChannelState,
}

/// What waits at a sink, and what was given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many wait.
    pub waiting: i64,
    /// When the oldest of them was queued, in milliseconds.
    pub oldest_ms: Option<i64>,
    /// How many are dead letters.
    pub dead: i64,
}

/// Which deliveries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Of this sink.
    pub sink: Option<&'a str>,
    /// In one of these states.
    pub states: Option<[&'static str; 2]>,
    /// Queued before this place.
    pub before: Option<i64>,
}

/// Which deliveries of an event are made again.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplayTo<'a> {
    /// For this sink alone.
    pub sink: Option<&'a str>,
    /// For this person alone.
    pub recipient: Option<&'a str>,
}

impl Database {
    /// The deliveries, the newest first, at most so many.
    pub(super) async fn list(
        &self,
        filter: Filter<'_>,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let [one, other] =
            filter.states.map_or([None, None], |[one, other]| [Some(one), Some(other)]);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT deliveries.id AS id, sink, recipient, state, attempts, next_ms, deliveries.queued_ms AS queued_ms, ended_ms, outcome,
                 notice
             FROM deliveries JOIN notices ON notices.id = event
             WHERE (?1 IS NULL OR sink = ?1) AND (?2 IS NULL OR state IN (?2, ?3)) AND deliveries.id < ?4
             ORDER BY deliveries.id DESC LIMIT ?5",
        )
        .bind(filter.sink)
        .bind(one)
        .bind(other)
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let deliveries = rows.into_iter().filter_map(|row| {
            Some(Delivery {
                notice: serde_json::from_str(&row.notice).ok()?,
                id: row.id,
                sink: row.sink,
                recipient: row.recipient,
                state: row.state,
                attempts: row.attempts,
                next_ms: row.next_ms,
                queued_ms: row.queued_ms,
                ended_ms: row.ended_ms,
                outcome: row.outcome,
            })
        });
        Ok(deliveries.collect())
    }

    /// What has become of the deliveries of one event.
    pub(super) async fn of_event(&self, event: &str) -> Result<Vec<Delivered>, StoreError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT sink, recipient, state FROM deliveries WHERE event = ?1 ORDER BY sink, recipient",
        )
        .bind(event)
        .fetch_all(&self.readers)
        .await?;
        let delivered = rows.into_iter().map(|(sink, person, state)| {
            let state = match state.as_str() {
                "delivered" => ChannelState::Delivered,
                "dead" => ChannelState::Failed,
                _ => ChannelState::Waiting,
            };
            Delivered { sink, person, state }
        });
        Ok(delivered.collect())
    }

    /// What waits, by sink.
    pub(super) async fn waiting(&self) -> Result<BTreeMap<String, Waiting>, StoreError> {
        let rows: Vec<(String, i64, i64, Option<i64>)> = sqlx::query_as(
            "SELECT name,
                 (SELECT count(*) FROM deliveries WHERE sink = name AND state IN ('due', 'behind')
                      AND state <> 'delivered'),
                 (SELECT count(*) FROM deliveries WHERE sink = name AND state = 'dead' AND state <> 'delivered'),
                 (SELECT min(queued_ms) FROM deliveries WHERE sink = name AND state IN ('due', 'behind')
                      AND state <> 'delivered')
             FROM sinks",
        )
        .fetch_all(&self.readers)
        .await?;
        let waiting =
            |(name, waiting, dead, oldest_ms)| (name, Waiting { waiting, oldest_ms, dead });
        Ok(rows.into_iter().map(waiting).collect())
    }
}
