//! `GET /v1/audit/events?after=..&wait=25s`: what happened, in the order of commits, at once or when there is something.
//! For auditors.
//!
//! `next` names the last event that was read, by its place and its id: after a backup was put back the place may be that of
//! another event, and a reader is told so, instead of missing what is there now.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::Word;
use breakglass_api::events::{Event as View, Events, EventsQuery, Link};
use tokio::time::{Duration, Instant, timeout};

use super::body::{FieldErrors, QueryString, wait};
use crate::access::Access;
use crate::app::App;
use crate::auth::current_session::{CurrentSession, still_known};
use crate::auth::identity::AsAuditor;
use crate::clock::{Moment, written};
use crate::problem::{Problem, Reason};
use crate::store::Event;

/// How many events one answer lists.
const PAGE: i64 = 500;

/// How often the database is looked at without reason: for what another process did.
const LOOK: Duration = Duration::from_secs(1);

pub(super) async fn handler(
    State(app): State<App>,
    AsAuditor(person): AsAuditor,
    session: CurrentSession,
    QueryString(query): QueryString<EventsQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<Events>), Problem> {
    let wait = wait(query.wait)?;
    let after = query.after.unwrap_or_default();
    let seq = place(&app, &after).await?;
    // A wait holds a place, as one for a decision does.
    let place = (!wait.is_zero()).then(|| app.waits().enter(&person.name, "")).transpose();
    let mut news = app.news();
    let start = Instant::now();
    loop {
        // Before the look, so that no change falls between the two.
        news.borrow_and_update();
        let events = app.store().events_after(seq, PAGE).await?;
        // A reload may have come in between.
        let config = app.config();
        let person = still_known(&app, &config, &person, &session)?;
        Access::of(&config).check_auditor(&person)?;
        let left = wait.saturating_sub(start.elapsed());
        if !events.is_empty() || left.is_zero() || app.is_stopping() {
            let next = events.last().map_or(after, |last| named(last.seq, &last.id));
            let events = events.into_iter().map(view).collect();
            return Ok(([(header::CACHE_CONTROL, "no-store")], Json(Events { events, next })));
        }
        place.as_ref().map_err(|error| Problem::from(*error))?;
        let _ = timeout(left.min(LOOK), news.changed()).await;
    }
}

/// The place of the event that `after` names: [`named`].
pub(super) async fn place(app: &App, after: &str) -> Result<i64, Problem> {
    if after.is_empty() {
        return Ok(0);
    }
    let parsed = after.split_once('.').and_then(|(seq, id)| Some((seq.parse::<i64>().ok()?, id)));
    let Some((seq, id)) = parsed.filter(|(seq, _)| *seq > 0) else {
        let mut errors = FieldErrors::default();
        errors.add(
            "after",
            "expected `next` of an earlier answer, or the `id` of an event of `GET /v1/events`",
        );
        return Err(errors.into_problem());
    };
    let before = app.store().events_after(seq.saturating_sub(1), 1).await?;
    match before.first() {
        Some(event) if event.seq == seq && event.id == id => Ok(seq),
        _ => Err(Problem::new(
            Reason::EventUnknown,
            "the event that `after` names is not there: a backup was put back, and places are given again; read from the \
             first event on, and take those whose `id` is known for what was read already",
        )),
    }
}

/// An event by its place and its id.
pub(super) fn named(seq: i64, id: &str) -> String {
    format!("{seq}.{id}")
}

fn view(event: Event) -> View {
    let link = match (event.prev, event.hash, event.kid, event.signature) {
        (Some(prev), Some(hash), Some(kid), Some(signature)) => {
            Some(Link { prev, hash, kid, signature })
        }
        _ => None,
    };
    View {
        seq: event.seq,
        id: event.id,
        time: written(Moment::from_millis(event.time_ms)),
        time_ms: Some(event.time_ms),
        kind: Word::read(event.kind),
        version: event.version,
        actor: event.actor,
        request: event.request_id,
        request_seq: event.request_seq,
        audience: event.audience,
        subject: event.subject,
        incident: event.incident,
        grant: event.jti,
        data: event.data,
        link,
    }
}
