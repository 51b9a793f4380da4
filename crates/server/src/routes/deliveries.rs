//! `GET /v1/deliveries` and `POST /v1/deliveries/{id}/replay`: what the sinks were told of events. Auditors and administrators
//! read it; administrators let an event be delivered again.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use breakglass_api::deliveries::{
    Deliveries, DeliveriesQuery, Delivery, DeliveryState, Replay, Replayed, Sink,
};
use breakglass_api::words::Vocabulary as _;

use super::body::{FieldErrors, Id, OptionalBody, QueryString};
use crate::access::Access;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::domain;
use crate::outbox;
use crate::problem::Problem;
use crate::store::StoreError;

/// How many deliveries a page lists.
const PAGE: usize = 200;

pub(super) async fn list(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    QueryString(query): QueryString<DeliveriesQuery>,
) -> Result<Json<Deliveries>, Problem> {
    Access::of(&app.config()).check_sees_deliveries(&person)?;
    let states = match query.state.as_deref().map(DeliveryState::of) {
        None => None,
        Some(Some(DeliveryState::Waiting)) => Some(["due", "behind"]),
        Some(Some(DeliveryState::Delivered)) => Some(["delivered", "delivered"]),
        Some(Some(DeliveryState::Dead)) => Some(["dead", "dead"]),
        Some(None) => {
            let mut errors = FieldErrors::default();
            errors.add("state", "expected one of `waiting`, `delivered`, `dead`");
            return Err(errors.into_problem());
        }
    };
    let filter = outbox::Filter { sink: query.sink.as_deref(), states, before: query.after };
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let rows = app.outbox().list(filter, limit).await?;
    let next = rows.last().filter(|_| rows.len() >= PAGE).map(|last| last.id);
    let deliveries = rows.into_iter().map(view).collect();
    Ok(Json(Deliveries { deliveries, next, sinks: sinks(&app).await? }))
}

pub(super) async fn replay(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    OptionalBody(body): OptionalBody<Replay>,
) -> Result<Json<Replayed>, Problem> {
    let to = outbox::ReplayTo { sink: body.sink.as_deref(), recipient: body.recipient.as_deref() };
    let sinks = domain::replay(&app, &person, app.now(), &id, to).await?;
    Ok(Json(Replayed { event: id, sinks }))
}

fn view(row: outbox::Delivery) -> Delivery {
    let at = |millis| written(Moment::from_millis(millis));
    let state = match row.state.as_str() {
        "delivered" => DeliveryState::Delivered,
        "dead" => DeliveryState::Dead,
        _ => DeliveryState::Waiting,
    };
    Delivery {
        severity: row.notice.severity().into(),
        event: row.notice.id,
        sink: row.sink,
        recipient: Some(row.recipient).filter(|person| !person.is_empty()),
        kind: row.notice.kind,
        time: at(row.notice.time_ms),
        request: row.notice.request,
        state: state.into(),
        attempts: row.attempts,
        queued_at: at(row.queued_ms),
        next_at: (row.state == "due").then(|| at(row.next_ms)),
        ended_at: row.ended_ms.map(at),
        outcome: row.outcome,
    }
}

/// Every sink of the configuration, and those that have deliveries and are not in it any more.
pub(super) async fn sinks(app: &App) -> Result<Vec<Sink>, StoreError> {
    let (waiting, states, config) =
        (app.outbox().waiting().await?, app.outbox().states(), app.config());
    let names: BTreeSet<&str> = config
        .sinks
        .iter()
        .map(|sink| sink.name.as_str())
        .chain(waiting.keys().map(String::as_str))
        .collect();
    let sink = |name: &str| {
        let state = states.get(name).cloned().unwrap_or_default();
        let waiting = waiting.get(name).copied().unwrap_or_default();
        let configured = config.sinks.iter().find(|sink| sink.name == name);
        Sink {
            name: name.to_owned(),
            kind: configured.map(|sink| sink.to.word().to_owned()),
            circuit: state.circuit.into(),
            waiting: waiting.waiting,
            oldest_waiting: waiting.oldest_ms.map(|at| written(Moment::from_millis(at))),
            dead: waiting.dead,
            error: state.error,
        }
    };
    Ok(names.into_iter().map(sink).collect())
}
