//! Where events come from: each source has events in an order, by places that grow.
//!
//! A further source is a variant here, and what it answers to the three questions.

use serde_json::json;
use sqlx::types::Json;

use crate::app::App;
use crate::evidence::{EvidenceError, StoredAlert};
use crate::sinks::Notice;
use crate::sinks::notice::{Asked, ToApprove};
use crate::store::{Request, ToldEvent};

/// A source of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The main database: what happened at the service.
    Events,
    /// The evidence database: the alerts of proxies.
    Alerts,
}

/// An event of a source.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its place: what is committed later has a higher one.
    pub(super) place: i64,
    /// What is told of it.
    pub(super) notice: Notice,
    /// Whether it is told: of an alert that is not for a human no sink hears.
    pub(super) told: bool,
}

impl Source {
    /// All of them.
    pub(super) const ALL: &[Source] = &[Source::Events, Source::Alerts];

    /// As the database of deliveries names it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Source::Events => "events",
            Source::Alerts => "alerts",
        }
    }

    /// The place of the last event; 0 without one.
    pub(super) async fn last(self, app: &App) -> Result<i64, EvidenceError> {
        match self {
            Source::Events => Ok(app.store().last_event_to_tell().await?),
            Source::Alerts => app.evidence().last_alert().await,
        }
    }

    /// The events after this place, in order, at most so many.
    pub(super) async fn after(
        self,
        app: &App,
        place: i64,
        limit: i64,
    ) -> Result<Vec<Item>, EvidenceError> {
        match self {
            Source::Events => {
                let events = app.store().events_to_tell(place, limit).await?;
                Ok(events.into_iter().map(|event| item(app, event)).collect())
            }
            Source::Alerts => {
                let mut items = Vec::new();
                for alert in app.evidence().alerts_after(place, limit).await? {
                    items.push(of_alert(app, alert).await?);
                }
                Ok(items)
            }
        }
    }
}

fn item(app: &App, event: ToldEvent) -> Item {
    let asked = event.scopes.map(|scopes| Asked {
        opens: opens(app, &scopes),
        requester: event.subject.clone().unwrap_or_default(),
        scopes: scopes.0.clone(),
        reason: event.reason.unwrap_or_default(),
        duration_s: event.duration_s.unwrap_or_default(),
        emergency: event.emergency.unwrap_or_default(),
    });
    let to_approve = ToApprove {
        submitted_at: event.submitted_at.unwrap_or_default(),
        needs: event.needs.map(|Json(needs)| needs),
        approvals: event.approvals.0,
    };
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
        to_approve,
    };
    Item { place: event.seq, notice, told: true }
}

/// What is told of an alert: of a grant that is known here with its request, and all else as the proxy says it.
async fn of_alert(app: &App, alert: StoredAlert) -> Result<Item, EvidenceError> {
    let said = alert.body.alert.as_ref();
    let grant = said.and_then(|said| said.grant.clone());
    let known = grant.as_ref().filter(|_| alert.body.grant_known == Some(true));
    let request = match known.filter(|_| alert.page) {
        Some(jti) => app.store().grant(app.now(), jti).await?,
        None => None,
    };
    let asked = request.as_ref().map(|request: &Request| Asked {
        opens: opens(app, &request.scopes),
        requester: request.requester.clone(),
        scopes: request.scopes.clone(),
        reason: request.reason.clone(),
        duration_s: request.duration_s,
        emergency: request.emergency,
    });
    let notice = Notice {
        id: alert.id.clone(),
        time_ms: alert.time_ms,
        kind: alert.event_type(),
        actor: alert.body.reported_by.clone(),
        request: request.map(|request| request.id),
        audience: said.and_then(|said| said.audience.clone()),
        subject: said.and_then(|said| said.subject.clone()),
        incident: said.and_then(|said| said.incident.clone()),
        grant: known.cloned(),
        data: json!({ "count": alert.count, "reported": alert.body }),
        asked,
        to_approve: ToApprove::default(),
    };
    Ok(Item { place: alert.place, notice, told: alert.page })
}

/// The scopes, each with what the configuration says that it is for.
pub(crate) fn opens(app: &App, scopes: &[String]) -> Vec<String> {
    let config = app.config();
    let opens = scopes.iter().map(|name| {
        let summary = config.scope(name).and_then(|scope| scope.summary.as_ref());
        summary.map_or_else(|| name.clone(), |summary| format!("{name}: {summary}"))
    });
    opens.collect()
}
