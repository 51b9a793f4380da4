//! Where events come from: each source has events in an order, by places that grow.
//!
//! A further source (alerts of filters) is a variant here, and what it answers to the three questions.

use crate::app::App;
use crate::sinks::Notice;
use crate::sinks::notice::Asked;
use crate::store::{StoreError, ToldEvent};

/// A source of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The main database: what happened at the service.
    Events,
}

/// An event of a source.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its place: what is committed later has a higher one.
    pub(super) place: i64,
    /// What is told of it.
    pub(super) notice: Notice,
}

impl Source {
    /// All of them.
    pub(super) const ALL: &[Source] = &[Source::Events];

    /// As the database of deliveries names it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Source::Events => "events",
        }
    }

    /// The place of the last event; 0 without one.
    pub(super) async fn last(self, app: &App) -> Result<i64, StoreError> {
        match self {
            Source::Events => app.store().last_event_to_tell().await,
        }
    }

    /// The events after this place, in order, at most so many.
    pub(super) async fn after(
        self,
        app: &App,
        place: i64,
        limit: i64,
    ) -> Result<Vec<Item>, StoreError> {
        match self {
            Source::Events => {
                let events = app.store().events_to_tell(place, limit).await?;
                Ok(events.into_iter().map(|event| item(app, event)).collect())
            }
        }
    }
}

fn item(app: &App, event: ToldEvent) -> Item {
    let asked = event.scopes.map(|scopes| {
        let config = app.config();
        let opens = scopes.iter().map(|name| {
            let summary = config.scope(name).and_then(|scope| scope.summary.as_ref());
            summary.map_or_else(|| name.clone(), |summary| format!("{name}: {summary}"))
        });
        Asked {
            opens: opens.collect(),
            requester: event.subject.clone().unwrap_or_default(),
            scopes: scopes.0.clone(),
            reason: event.reason.unwrap_or_default(),
            duration_s: event.duration_s.unwrap_or_default(),
            emergency: event.emergency.unwrap_or_default(),
        }
    });
    let notice = Notice {
        id: event.id,
        time_ms: event.time_ms,
        kind: event.kind,
        actor: event.actor,
        request: event.request_id,
        audience: event.audience,
        subject: event.subject,
        incident: event.incident,
        grant: event.jti,
        data: event.data,
        asked,
    };
    Item { place: event.seq, notice }
}
