//! `GET /v1/events?type=..&scope=..&request=..`: what happens, as it happens, to those who may see it: server-sent events.
//!
//! 1. A stream ends by itself before a connection may take no longer for an answer. A reader comes back with the `id` that it
//!    read last, which is a place among the events: it misses none, and another process of the service goes on as well.
//! 2. What the configuration and the identity provider say of the person counts as they are at each event; a session that has
//!    ended ends the stream.
//! 3. The alerts of proxies are in it, from the evidence database: one that fails keeps no event back.
//! 4. The events are read where the endpoints run, a page at a time, and no further than the reader takes them: one that reads
//!    slowly holds a page in memory.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use breakglass_api::watch::{LAST_EVENT_ID, MEDIA_TYPE, WatchQuery, WatchedEvent};
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, timeout};

use super::body::{FieldErrors, QueryString};
use super::events::{named, place};
use crate::app::App;
use crate::auth::current_session::{CurrentSession, still_known};
use crate::auth::identity::AsPerson;
use crate::config::Person;
use crate::domain::watched::{self, Wanted};
use crate::problem::Problem;
use crate::waits::Waiting;

/// How many events are read at once.
const PAGE: i64 = 200;

/// How long a stream lasts: less than a connection may take for an answer.
const LASTS: Duration = Duration::from_secs(100);

/// How often the database is looked at without reason: for what another process did.
const LOOK: Duration = Duration::from_secs(1);

/// How long it may be quiet, so that a proxy in between does not end it, and a reader knows that it is there.
const QUIET: Duration = Duration::from_secs(10);

/// When a reader comes back, in milliseconds.
const RETRY_MS: u32 = 1000;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    session: CurrentSession,
    headers: HeaderMap,
    QueryString(query): QueryString<WatchQuery>,
) -> Result<Response, Problem> {
    let mut errors = FieldErrors::default();
    let wanted = Wanted::read(&query).map_err(|cause| errors.add("type", cause)).ok();
    errors.finish()?;
    let after = match headers.get(LAST_EVENT_ID) {
        // What is no place is refused as one that is not there.
        Some(id) => Some(String::from_utf8_lossy(id.as_bytes()).into_owned()),
        None => query.after,
    };
    let after = match after.filter(|id| !id.is_empty()) {
        Some(id) => Place::read(&app, &id).await?,
        None => Place::now(&app).await?,
    };
    let waiting = app.waits().enter(&person.name, "")?;
    let (pages, reader) = mpsc::channel(1);
    let wanted = wanted.unwrap_or_default();
    let stream = Stream { app, person, session, wanted, after, _waiting: waiting };
    tokio::spawn(stream.write(pages));
    let body = unfold(reader, async |mut reader: mpsc::Receiver<String>| {
        let page = reader.recv().await?;
        Some((Ok::<String, Infallible>(page), reader))
    });
    let headers = [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::CACHE_CONTROL, "no-store"),
        // nginx keeps answers back otherwise.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// How far a reader is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Place {
    /// The place of the last event.
    seq: i64,
    /// The same as a reader names it; empty before the first event.
    event: String,
    /// The place of the last alert.
    alert: i64,
}

/// Between the two in an `id`.
const ALERT: char = '~';

impl Place {
    /// What happens from now on is after it.
    async fn now(app: &App) -> Result<Place, Problem> {
        let seq = app.store().last_event().await?;
        let event = app.store().events_after(seq.saturating_sub(1), 1).await?;
        // One that has been written since is news.
        let event = event.first().filter(|event| event.seq == seq);
        let event = event.map(|last| named(last.seq, &last.id)).unwrap_or_default();
        // Where it is not known, all alerts that are kept are news.
        let alert = app.evidence().last_alert().await.unwrap_or_default();
        Ok(Place { seq, event, alert })
    }

    /// The one that a reader names.
    async fn read(app: &App, id: &str) -> Result<Place, Problem> {
        let (event, alert) = id.split_once(ALERT).unwrap_or((id, "0"));
        let seq = place(app, event).await?;
        let Some(alert) = alert.parse().ok().filter(|alert| *alert >= 0) else {
            let mut errors = FieldErrors::default();
            errors.add("after", "expected the `id` of an event that was sent before");
            return Err(errors.into_problem());
        };
        Ok(Place { seq, event: event.to_owned(), alert })
    }

    /// As a reader names it.
    fn id(&self) -> String {
        match self.alert {
            0 => self.event.clone(),
            alert => format!("{}{ALERT}{alert}", self.event),
        }
    }
}

/// One reader's stream.
struct Stream {
    app: App,
    person: Arc<Person>,
    session: CurrentSession,
    wanted: Wanted,
    /// The place up to which all was told, or is not for this reader.
    after: Place,
    _waiting: Waiting,
}

impl Stream {
    /// Writes until the reader goes away, the time is over, or the person may read no longer.
    async fn write(mut self, pages: mpsc::Sender<String>) {
        let (mut news, mut alerts) = (self.app.news(), self.app.evidence().alert_news());
        let began = Instant::now();
        let mut page = format!("retry: {RETRY_MS}\n{}", self.mark());
        let mut told_at = Instant::now();
        loop {
            if !page.is_empty() {
                told_at = Instant::now();
                if pages.send(page).await.is_err() {
                    return;
                }
            }
            // Before the look, so that no change falls between the two.
            news.borrow_and_update();
            alerts.borrow_and_update();
            let before = self.after.clone();
            page = match self.next_page().await {
                Ok(page) => page,
                Err(problem) => {
                    tracing::debug!(reason = problem.reason().word(), "a stream of events ends");
                    return;
                }
            };
            if self.app.is_stopping() || began.elapsed() >= LASTS {
                // What was read already is not read twice.
                if !page.is_empty() {
                    let _ = pages.send(page).await;
                }
                return;
            }
            if !page.is_empty() || self.after != before {
                continue;
            }
            tokio::select! {
                () = pages.closed() => return,
                _ = timeout(LOOK, news.changed()) => {}
                Ok(()) = alerts.changed() => {}
            }
            if told_at.elapsed() >= QUIET {
                page = self.mark();
            }
        }
    }

    /// What came after the place of the stream and is for this reader, as it is sent; empty where there is nothing.
    async fn next_page(&mut self) -> Result<String, Problem> {
        let config = self.app.config();
        let person = still_known(&self.app, &config, &self.person, &self.session)?;
        let mut page = String::new();
        let events = self.app.store().events_after(self.after.seq, PAGE).await?;
        if let Some(last) = events.last() {
            let read = (last.seq, named(last.seq, &last.id));
            for (seq, event) in watched::of(&self.app, &person, &self.wanted, events).await? {
                (self.after.seq, self.after.event) = (seq, named(seq, &event.id));
                push(&mut page, &self.after, &event)?;
            }
            (self.after.seq, self.after.event) = read;
        }
        let alerts = match self.app.evidence().alerts_after(self.after.alert, PAGE).await {
            Ok(alerts) => alerts,
            Err(cause) => {
                tracing::debug!(%cause, "alerts not read");
                Vec::new()
            }
        };
        if let Some(last) = alerts.last() {
            let read = last.place;
            for (alert, event) in watched::alerts(&self.app, &person, &self.wanted, alerts).await? {
                self.after.alert = alert;
                push(&mut page, &self.after, &event)?;
            }
            self.after.alert = read;
        }
        Ok(page)
    }

    /// Says how far the reader is, and nothing else: such an event without data only sets the last id.
    fn mark(&self) -> String {
        match self.after.id().as_str() {
            "" => ":\n\n".to_owned(),
            id => format!("id: {id}\n\n"),
        }
    }
}

/// Writes an event, after which a reader is at this place.
fn push(page: &mut String, place: &Place, event: &WatchedEvent) -> Result<(), Problem> {
    // JSON on one line: a line break in a text of it is written as an escape.
    let data = serde_json::to_string(event).map_err(|error| Problem::internal(&error))?;
    page.push_str(&format!("id: {}\nevent: {}\ndata: {data}\n\n", place.id(), event.kind.word()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::Limits;

    /// A connection ends what takes longer, and a reader would see it broken.
    #[test]
    fn a_stream_ends_by_itself() {
        assert!(LASTS + 2 * LOOK < Limits::new(1, None).times.answer);
    }
}
