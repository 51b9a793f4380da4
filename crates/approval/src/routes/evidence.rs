//! `GET /v1/audit/requests?grant=..`: what was asked for, by whom, and all that became of it. For
//! auditors: whoever else is involved sees it in `GET /v1/requests`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{FieldErrors, QueryString};
use super::view::View;
use crate::app::App;
use crate::clock::{Moment, rfc3339};
use crate::identity::AsPerson;
use crate::policy;
use crate::problem::Problem;
use crate::store::{About, Evidence, EvidencePage, Step};

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
    let named = [
        grant.as_deref().map(About::Grant),
        incident.as_deref().map(About::Incident),
        subject.as_deref().map(About::Subject),
    ];
    let mut named = named.into_iter().flatten();
    let (Some(about), None) = (named.next(), named.next()) else {
        let mut errors = FieldErrors::default();
        errors.add("grant", "expected exactly one of `grant`, `incident`, `subject`");
        return Err(errors.into_problem());
    };

    let EvidencePage { requests, next } =
        app.store().evidence(app.now()?, about, &after, PAGE).await?;
    let requests: Vec<Value> = requests
        .into_iter()
        .map(|Evidence { request, trail }| {
            let steps: Vec<Value> = trail.into_iter().map(step).collect();
            json!({ "request": View::new(&config, request), "trail": steps })
        })
        .collect();
    let answer = json!({ "requests": requests, "next": next });
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
