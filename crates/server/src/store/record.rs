//! What a change did, written at its end: the row of the trail, and the event, which is a link of a signed chain.
//!
//! The place and the head of the chain are read together, and what follows is one batch, since each trip to the
//! connection's thread costs more than what SQLite does there.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::trail::ServiceAction;
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::chain::{Form, Sealed};
use super::events::{Happened, Noticed, OfRequest, Revocations, ServiceAct};
use super::positions::{Places, take_events};
use super::{SERVICE, StoreError};
use crate::clock::Moment;
use crate::issuer::TrailKeys;

/// The version of what events have in `data`.
const VERSION: i64 = 1;

/// Writes it.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    keys: &TrailKeys,
    now: Moment,
    happened: &Happened<'_>,
) -> Result<(), StoreError> {
    match happened {
        Happened::Request(of) => {
            let place = take_events(connection, 1, Some(of.request)).await?;
            of_request(connection, keys, now, of, &place).await
        }
        Happened::Revocations(of) => of_revocations(connection, keys, now, of).await,
        Happened::Service(act) => of_service(connection, keys, now, act).await,
        Happened::Noticed(noticed) => of_noticed(connection, keys, now, noticed).await,
    }
}

/// Appends an event, and moves the head of the chain: after the row of the trail, with the parameters of [`append`].
macro_rules! with_event {
    ($trail:literal) => {
        concat!(
            $trail,
            "INSERT INTO events (seq, id, time_ms, type, version, actor, request_id, request_seq, audience, subject,
                 incident, jti, drill, data, prev, hash, kid, signature)
             VALUES (?7, ?8, ?1, ?9, ?10, ?2, ?4, ?11, ?12, ?13, ?14, ?5, 0, ?6, ?15, ?16, ?17, ?18);
             UPDATE positions SET head = ?16"
        )
    };
}

/// Writes what was done to a request, at the place that was taken for it.
pub(super) async fn of_request(
    connection: &mut SqliteConnection,
    keys: &TrailKeys,
    now: Moment,
    of: &OfRequest<'_>,
    place: &Places,
) -> Result<(), StoreError> {
    let form = Form {
        actor: of.actor,
        audience: Some(of.audience),
        data: &of.detail,
        grant: of.jti,
        id: &place.id,
        incident: of.incident,
        request: Some(of.request),
        request_seq: Some(place.request_seq),
        seq: place.last,
        subject: Some(of.subject),
        time_ms: now.millis(),
        kind: of.event.word(),
        version: VERSION,
    };
    let batch = with_event!(
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6);"
    );
    let link = form.seal(place.head()?, keys);
    written(1, append(connection, batch, of.action.word(), form, link, keys).await?)
}

/// Writes what the service noticed: the event alone.
async fn of_noticed(
    connection: &mut SqliteConnection,
    keys: &TrailKeys,
    now: Moment,
    noticed: &Noticed<'_>,
) -> Result<(), StoreError> {
    let request = noticed.request;
    let place = take_events(connection, 1, Some(&request.id)).await?;
    let form = Form {
        actor: SERVICE,
        audience: Some(&request.audience),
        data: &noticed.data,
        grant: request.jti.as_deref(),
        id: &place.id,
        incident: request.incident.as_deref(),
        request: Some(&request.id),
        request_seq: Some(place.request_seq),
        seq: place.last,
        subject: Some(&request.requester),
        time_ms: now.millis(),
        kind: noticed.event.word(),
        version: VERSION,
    };
    let link = form.seal(place.head()?, keys);
    // The event, and the head of the chain.
    match append(connection, with_event!(""), "", form, link, keys).await? {
        2 => Ok(()),
        other => Err(StoreError::RowsAffected(other)),
    }
}

async fn of_service(
    connection: &mut SqliteConnection,
    keys: &TrailKeys,
    now: Moment,
    act: &ServiceAct<'_>,
) -> Result<(), StoreError> {
    let place = take_events(connection, 1, None).await?;
    let form = Form {
        actor: act.actor,
        audience: None,
        data: act.detail,
        grant: None,
        id: &place.id,
        incident: None,
        request: None,
        request_seq: None,
        seq: place.last,
        subject: None,
        time_ms: now.millis(),
        kind: event_of(act.action).word(),
        version: VERSION,
    };
    let batch = with_event!(
        "INSERT INTO service_trail (at_ms, actor, action, detail) VALUES (?1, ?2, ?3, ?6);"
    );
    let link = form.seal(place.head()?, keys);
    written(1, append(connection, batch, act.action.word(), form, link, keys).await?)
}

/// Carries out a batch of [`with_event`]: how many rows it wrote.
async fn append(
    connection: &mut SqliteConnection,
    batch: &'static str,
    action: &str,
    form: Form<'_>,
    link: Sealed,
    keys: &TrailKeys,
) -> Result<u64, StoreError> {
    let result = sqlx::query(batch)
        .bind(form.time_ms)
        .bind(form.actor)
        .bind(action)
        .bind(form.request)
        .bind(form.grant)
        .bind(form.data.to_string())
        .bind(form.seq)
        .bind(form.id)
        .bind(form.kind)
        .bind(form.version)
        .bind(form.request_seq)
        .bind(form.audience)
        .bind(form.subject)
        .bind(form.incident)
        .bind(link.prev)
        .bind(link.hash)
        .bind(keys.kid())
        .bind(link.signature)
        .execute(connection)
        .await?;
    Ok(result.rows_affected())
}

/// A grant that was revoked.
#[derive(Debug, sqlx::FromRow)]
struct OfGrant {
    epoch: i64,
    request: String,
    request_seq: i64,
    audience: String,
    subject: String,
    incident: Option<String>,
    jti: String,
    id: String,
}

async fn of_revocations(
    connection: &mut SqliteConnection,
    keys: &TrailKeys,
    now: Moment,
    of: &Revocations<'_>,
) -> Result<(), StoreError> {
    let grants: Vec<OfGrant> = sqlx::query_as(
        "SELECT epoch, requests.id AS request, audience, requester AS subject, incident, jti,
             (SELECT coalesce(max(request_seq), 0) + 1 FROM events WHERE request_id = requests.id) AS request_seq,
             'evt_' || lower(hex(randomblob(16))) AS id
         FROM revocations JOIN requests USING (jti) WHERE epoch > ?1 AND epoch <= ?2 ORDER BY epoch",
    )
    .bind(of.after)
    .bind(of.last)
    .fetch_all(&mut *connection)
    .await?;
    let count = i64::try_from(grants.len()).unwrap_or(i64::MAX);
    let place = take_events(connection, count, None).await?;
    let mut head = place.head()?.to_owned();
    let mut seq = place.last.saturating_sub(count);
    let mut rows = Vec::with_capacity(grants.len());
    for grant in &grants {
        seq = seq.saturating_add(1);
        let mut data = of.detail.clone();
        if let Some(data) = data.as_object_mut() {
            data.insert("epoch".to_owned(), json!(grant.epoch));
        }
        let form = Form {
            actor: of.actor,
            audience: Some(&grant.audience),
            data: &data,
            grant: Some(&grant.jti),
            id: &grant.id,
            incident: grant.incident.as_deref(),
            request: Some(&grant.request),
            request_seq: Some(grant.request_seq),
            seq,
            subject: Some(&grant.subject),
            time_ms: now.millis(),
            kind: EventType::Revoked.word(),
            version: VERSION,
        };
        let Sealed { prev, hash, signature } = form.seal(&head, keys);
        rows.push(json!([
            seq,
            grant.id,
            grant.request,
            grant.request_seq,
            grant.audience,
            grant.subject,
            grant.incident,
            grant.jti,
            data.to_string(),
            prev,
            hash,
            signature,
        ]));
        head = hash;
    }
    let result = sqlx::query(
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail)
         SELECT ?1, ?2, ?3, value ->> 2, value ->> 7, value ->> 8 FROM json_each(?4) ORDER BY key;
         INSERT INTO events (seq, id, time_ms, type, version, actor, request_id, request_seq, audience, subject, incident,
             jti, drill, data, prev, hash, kid, signature)
         SELECT value ->> 0, value ->> 1, ?1, ?5, ?6, ?2, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
             value ->> 7, 0, value ->> 8, value ->> 9, value ->> 10, ?7, value ->> 11
         FROM json_each(?4) ORDER BY key;
         UPDATE positions SET head = ?8",
    )
    .bind(now.millis())
    .bind(of.actor)
    .bind(Action::Revoke.word())
    .bind(Value::from(rows).to_string())
    .bind(EventType::Revoked.word())
    .bind(VERSION)
    .bind(keys.kid())
    .bind(head)
    .execute(connection)
    .await?;
    written(of.last.abs_diff(of.after), result.rows_affected())
}

/// The check that each of so many has its row of the trail and its event, and that the head of the chain was moved.
fn written(count: u64, rows: u64) -> Result<(), StoreError> {
    match count.checked_mul(2).and_then(|rows| rows.checked_add(1)) == Some(rows) {
        true => Ok(()),
        false => Err(StoreError::RowsAffected(rows)),
    }
}

/// The event of an act.
pub(super) fn event_of(action: ServiceAction) -> EventType {
    match action {
        ServiceAction::AcceptClock => EventType::ClockAccepted,
        ServiceAction::ConfigurationWidened => EventType::ConfigurationWidened,
        ServiceAction::DeliveryReplayed => EventType::DeliveryReplayed,
        ServiceAction::EvidenceMade => EventType::EvidenceMade,
        ServiceAction::ForgetProxy => EventType::ProxyForgotten,
        ServiceAction::GroupsChanged => EventType::GroupsChanged,
        ServiceAction::HeldEndsConfirmed => EventType::HeldEndsConfirmed,
        ServiceAction::HolderLeft => EventType::HolderLeft,
        ServiceAction::MassLoss => EventType::MassLoss,
        ServiceAction::Probe => EventType::Probed,
        ServiceAction::ProbeVerdict => EventType::ProbeJudged,
        ServiceAction::Reload => EventType::ConfigurationRead,
        ServiceAction::Restored => EventType::Restored,
        ServiceAction::SessionBegan => EventType::SessionBegan,
        ServiceAction::SessionEnded => EventType::SessionEnded,
        ServiceAction::SignedIn => EventType::SignedIn,
    }
}

#[cfg(test)]
mod tests {
    use breakglass_api::words::Vocabulary as _;

    use super::*;

    // Relies on INVARIANT (actions).
    #[test]
    fn the_database_takes_these_words_and_no_others() {
        let migration = include_str!("../../migrations/20261201110000_reviews.sql");
        let list = migration.split("action IN (").nth(1).unwrap().split(')').next().unwrap();
        let words: Vec<&str> =
            list.split(", ").map(|word| word.trim().trim_matches('\'')).collect();
        let all: Vec<&str> = Action::ALL.iter().map(|action| action.word()).collect();
        assert_eq!(words, all);
    }
}
