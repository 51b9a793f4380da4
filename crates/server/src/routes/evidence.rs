//! `GET /v1/audit/requests?grant=..`: what was asked for, by whom, and all that became of it. For
//! auditors: whoever else is involved sees it in `GET /v1/requests`.
//!
//! `incident` and `subject` mean every spelling of the name that a person would take for it: `look_alikes`
//! lists the others that requests have.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{FieldErrors, QueryString};
use super::view::View;
use crate::access::policy;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, rfc3339};
use crate::limits::MAX_LISTED_GRANTS;
use crate::problem::Problem;
use crate::store::{About, Evidence, EvidencePage, Kind, Step};

/// How many requests one answer lists, fewer where their trails are long: then the last one is the first of the
/// next page again, with the rest of its trail.
const PAGE: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    grant: Option<String>,
    incident: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    after: String,
}

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    QueryString(parameters): QueryString<Parameters>,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    let config = app.config();
    policy::check_auditor(&config, &person)?;
    let Parameters { grant, incident, subject, after } = parameters;
    if [&grant, &incident, &subject].into_iter().flatten().count() != 1 {
        let mut errors = FieldErrors::default();
        errors.add("grant", "expected exactly one of `grant`, `incident`, `subject`");
        return Err(errors.into_problem());
    }

    // The requester chose the spelling, and the configuration may spell a name in another way now.
    let store = app.store();
    let spellings = match (&incident, &subject) {
        (Some(incident), _) => store.spellings(Kind::Incident, incident).await?,
        (None, Some(subject)) => store.spellings(Kind::Person, subject).await?,
        (None, None) => Vec::new(),
    };
    let about = match (&grant, &incident) {
        (Some(grant), _) => About::Grant(grant),
        (None, Some(_)) => About::Incident(&spellings),
        (None, None) => About::Subject(&spellings),
    };
    let asked = incident.as_deref().or(subject.as_deref());
    let look_alikes: Vec<Value> = spellings
        .iter()
        .filter(|spelling| Some(spelling.as_str()) != asked)
        .take(MAX_LISTED_GRANTS)
        .map(|spelling| json!({ "name": spelling }))
        .collect();
    let page = store.evidence(app.now(), about, &after, PAGE).await?;
    let EvidencePage { requests, next } = page;
    let requests: Vec<Value> = requests
        .into_iter()
        .map(|Evidence { request, trail }| {
            let steps: Vec<Value> = trail.into_iter().map(step).collect();
            json!({ "request": View::new(&config, request), "trail": steps })
        })
        .collect();
    let answer = json!({ "requests": requests, "next": next, "look_alikes": look_alikes });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

fn step(step: Step) -> Value {
    json!({
        "at": rfc3339(Moment::from_millis(step.at_ms).seconds()),
        "actor": step.actor,
        "action": step.action,
        "detail": step.detail,
    })
}
