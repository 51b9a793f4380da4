//! Which events a person may read as they happen: those of the requests that the person may see ([`Access::check_involved`]);
//! an auditor reads all, those of the service itself too. An alert about a grant is of its request.

use std::collections::HashMap;

use breakglass_api::Word;
use breakglass_api::watch::{WatchQuery, WatchedEvent, WatchedRequest};

use super::{Refused, held};
use crate::access::Access;
use crate::app::App;
use crate::clock::{Moment, written};
use crate::config::Person;
use crate::duration;
use crate::evidence::StoredAlert;
use crate::store::{Event, Request};

/// The most types that a reader names.
const MAX_TYPES: usize = 50;

/// Which events a reader wants.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Types; where one ends with `*`, all that begin so. None: every type.
    types: Vec<String>,
    scope: Option<String>,
    request: Option<String>,
}

impl Wanted {
    /// # Errors
    /// What is wrong with `type`.
    pub fn read(query: &WatchQuery) -> Result<Wanted, String> {
        let types = query.kind.as_deref().unwrap_or_default().split(',').map(str::trim);
        let types: Vec<String> = types.filter(|one| !one.is_empty()).map(str::to_owned).collect();
        let is_pattern = |one: &String| {
            let name = one.strip_suffix('*').unwrap_or(one);
            name.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte))
        };
        if types.len() > MAX_TYPES || !types.iter().all(is_pattern) {
            return Err(format!(
                "expected at most {MAX_TYPES} types such as `breakglass.request.submitted`, or `breakglass.request.*`, with \
                 commas between them"
            ));
        }
        Ok(Wanted { types, scope: query.scope.clone(), request: query.request.clone() })
    }

    fn has_type(&self, kind: &str) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => kind == wanted,
        };
        self.types.is_empty() || self.types.iter().any(fits)
    }

    fn has_request(&self, id: Option<&str>) -> bool {
        self.request.is_none() || self.request.as_deref() == id
    }

    fn has_scopes(&self, request: Option<&Request>) -> bool {
        let Some(wanted) = &self.scope else { return true };
        request.is_some_and(|request| request.scopes.contains(wanted))
    }
}

/// Those of `events` that `person` may read and wants, each with its place.
///
/// # Errors
/// [`Refused`] where the database cannot tell.
pub async fn of(
    app: &App,
    person: &Person,
    wanted: &Wanted,
    events: Vec<Event>,
) -> Result<Vec<(i64, WatchedEvent)>, Refused> {
    let config = app.config();
    let access = Access::of(&config);
    let audits = access.is_auditor(person);
    let mut requests: HashMap<String, Option<Request>> = HashMap::new();
    let mut read = Vec::new();
    for event in events {
        let id = event.request_id.as_deref();
        if !wanted.has_type(&event.kind) || !wanted.has_request(id) || (id.is_none() && !audits) {
            continue;
        }
        if let Some(id) = id
            && !requests.contains_key(id)
        {
            // Several events of a page are often of one request.
            let request = app.store().request(app.now(), id).await?;
            let sees =
                |request: &Request| access.check_involved(person, &held::request(request)).is_ok();
            requests.insert(id.to_owned(), request.filter(sees));
        }
        let request = id.and_then(|id| requests.get(id)).and_then(Option::as_ref);
        if (id.is_some() && request.is_none()) || !wanted.has_scopes(request) {
            continue;
        }
        read.push((event.seq, view(event, request, audits)));
    }
    Ok(read)
}

/// Those of `alerts` that are for a human, and that `person` may read and wants, each with its place.
///
/// # Errors
/// [`Refused`] where the database cannot tell.
pub async fn alerts(
    app: &App,
    person: &Person,
    wanted: &Wanted,
    alerts: Vec<StoredAlert>,
) -> Result<Vec<(i64, WatchedEvent)>, Refused> {
    let config = app.config();
    let access = Access::of(&config);
    let audits = access.is_auditor(person);
    let mut read = Vec::new();
    for alert in alerts.into_iter().filter(|alert| alert.page) {
        let kind = alert.event_type();
        if !wanted.has_type(&kind) {
            continue;
        }
        // A proxy that names a grant which is not known here says nothing about a person.
        let grant = alert.body.alert.as_ref().and_then(|said| said.grant.clone());
        let known = grant.filter(|_| alert.body.grant_known == Some(true));
        let request = match &known {
            Some(jti) => app.store().grant(app.now(), jti).await?,
            None => None,
        };
        let sees = |one: &Request| access.check_involved(person, &held::request(one)).is_ok();
        let request = request.filter(sees);
        let id = request.as_ref().map(|request| request.id.as_str());
        if (request.is_none() && !audits) || !wanted.has_request(id) {
            continue;
        }
        if !wanted.has_scopes(request.as_ref()) {
            continue;
        }
        let (place, time) = (alert.place, written(Moment::from_millis(alert.time_ms)));
        let event = WatchedEvent {
            id: alert.id.clone(),
            time,
            kind: Word::read(kind),
            actor: alert.body.reported_by.clone(),
            request: request.as_ref().map(about),
            grant: known,
            alert: Some(alert.into_view()),
            data: None,
        };
        read.push((place, event));
    }
    Ok(read)
}

fn view(event: Event, request: Option<&Request>, audits: bool) -> WatchedEvent {
    WatchedEvent {
        id: event.id,
        time: written(Moment::from_millis(event.time_ms)),
        kind: Word::read(event.kind),
        actor: event.actor,
        request: request.map(about),
        grant: event.jti,
        alert: None,
        data: audits.then_some(event.data),
    }
}

fn about(request: &Request) -> WatchedRequest {
    WatchedRequest {
        id: request.id.clone(),
        requester: request.requester.clone(),
        audience: request.audience.clone(),
        scopes: request.scopes.clone(),
        reason: request.reason.clone(),
        incident: request.incident.clone(),
        duration: duration::format(request.duration_s),
        emergency: request.emergency,
    }
}
