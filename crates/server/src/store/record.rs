//! What a change did, written at its end: the row of the trail, the place in the order of commits, and the event.
//!
//! The three are one batch, since each trip to the connection's thread costs more than what SQLite does there.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::trail::ServiceAction;
use sqlx::SqliteConnection;

use super::StoreError;
use super::events::{Happened, OfRequest, Revocations, ServiceAct};
use super::positions::take_events;
use crate::clock::Moment;

/// The version of what events have in `data`.
const VERSION: i64 = 1;

/// Writes it.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    now: Moment,
    happened: &Happened<'_>,
) -> Result<(), StoreError> {
    match happened {
        Happened::Request(of) => of_request(connection, now, of).await,
        Happened::Revocations(of) => of_revocations(connection, now, of).await,
        Happened::Service(act) => of_service(connection, now, act).await,
    }
}

async fn of_request(
    connection: &mut SqliteConnection,
    now: Moment,
    of: &OfRequest<'_>,
) -> Result<(), StoreError> {
    let result = sqlx::query(concat!(
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6);",
        take_events!("1"),
        "INSERT INTO events (seq, id, time_ms, type, version, actor, request_id, request_seq, audience, subject, incident,
             jti, drill, data)
         SELECT event, 'evt_' || lower(hex(randomblob(16))), ?1, ?7, ?8, ?2, ?4,
             (SELECT coalesce(max(request_seq), 0) + 1 FROM events WHERE request_id = ?4), ?9, ?10, ?11, ?5, 0, ?6
         FROM positions",
    ))
    .bind(now.millis())
    .bind(of.actor)
    .bind(of.action.word())
    .bind(of.request)
    .bind(of.jti)
    .bind(of.detail.to_string())
    .bind(of.event.word())
    .bind(VERSION)
    .bind(of.audience)
    .bind(of.subject)
    .bind(of.incident)
    .execute(connection)
    .await?;
    written(1, result.rows_affected())
}

async fn of_revocations(
    connection: &mut SqliteConnection,
    now: Moment,
    of: &Revocations<'_>,
) -> Result<(), StoreError> {
    let result = sqlx::query(concat!(
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail)
         SELECT ?1, ?2, ?3, requests.id, jti, json_set(?4, '$.epoch', epoch)
         FROM revocations JOIN requests USING (jti)
         WHERE epoch > ?5 AND epoch <= ?6 ORDER BY epoch;",
        take_events!("?6 - ?5"),
        "INSERT INTO events (seq, id, time_ms, type, version, actor, request_id, request_seq, audience, subject, incident,
             jti, drill, data)
         SELECT (SELECT event FROM positions) - (?6 - ?5) + row_number() OVER (ORDER BY epoch),
             'evt_' || lower(hex(randomblob(16))), ?1, ?7, ?8, ?2, requests.id,
             (SELECT coalesce(max(request_seq), 0) + 1 FROM events WHERE request_id = requests.id), audience, requester,
             incident, jti, 0, json_set(?4, '$.epoch', epoch)
         FROM revocations JOIN requests USING (jti)
         WHERE epoch > ?5 AND epoch <= ?6 ORDER BY epoch",
    ))
    .bind(now.millis())
    .bind(of.actor)
    .bind(Action::Revoke.word())
    .bind(of.detail.to_string())
    .bind(of.after)
    .bind(of.last)
    .bind(EventType::Revoked.word())
    .bind(VERSION)
    .execute(connection)
    .await?;
    written(of.last.abs_diff(of.after), result.rows_affected())
}

async fn of_service(
    connection: &mut SqliteConnection,
    now: Moment,
    act: &ServiceAct<'_>,
) -> Result<(), StoreError> {
    let result = sqlx::query(concat!(
        "INSERT INTO service_trail (at_ms, actor, action, detail) VALUES (?1, ?2, ?3, ?4);",
        take_events!("1"),
        "INSERT INTO events (seq, id, time_ms, type, version, actor, drill, data)
         SELECT event, 'evt_' || lower(hex(randomblob(16))), ?1, ?5, ?6, ?2, 0, ?4 FROM positions",
    ))
    .bind(now.millis())
    .bind(act.actor)
    .bind(act.action.word())
    .bind(act.detail.to_string())
    .bind(event_of(act.action).word())
    .bind(VERSION)
    .execute(connection)
    .await?;
    written(1, result.rows_affected())
}

/// The check that each of so many has its row of the trail and its event, and that the places were taken.
fn written(count: u64, rows: u64) -> Result<(), StoreError> {
    match count.checked_mul(2).and_then(|rows| rows.checked_add(1)) == Some(rows) {
        true => Ok(()),
        false => Err(StoreError::RowsAffected(rows)),
    }
}

/// The event of an act.
fn event_of(action: ServiceAction) -> EventType {
    match action {
        ServiceAction::AcceptClock => EventType::ClockAccepted,
        ServiceAction::ConfigurationWidened => EventType::ConfigurationWidened,
        ServiceAction::EvidenceMade => EventType::EvidenceMade,
        ServiceAction::ForgetProxy => EventType::ProxyForgotten,
        ServiceAction::HolderLeft => EventType::HolderLeft,
        ServiceAction::Probe => EventType::Probed,
        ServiceAction::ProbeVerdict => EventType::ProbeJudged,
        ServiceAction::Reload => EventType::ConfigurationRead,
    }
}

#[cfg(test)]
mod tests {
    use breakglass_api::words::Vocabulary as _;

    use super::*;

    // Relies on INVARIANT (actions).
    #[test]
    fn the_database_takes_these_words_and_no_others() {
        let migration = include_str!("../../migrations/20261127120000_grants.sql");
        let list = migration.split("action IN (").nth(1).unwrap().split(')').next().unwrap();
        let words: Vec<&str> =
            list.split(", ").map(|word| word.trim().trim_matches('\'')).collect();
        let all: Vec<&str> = Action::ALL.iter().map(|action| action.word()).collect();
        assert_eq!(words, all);
    }
}
