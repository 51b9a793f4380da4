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
use crate::store::About;

/// How many requests one answer lists.
const PAGE: i64 = 200;

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
    let about = About {
        grant: grant.as_deref(),
        incident: incident.as_deref(),
        subject: subject.as_deref(),
    };
    let mut errors = FieldErrors::default();
    let named = [about.grant, about.incident, about.subject].into_iter().flatten().count();
    if named != 1 {
        errors.add("grant", "expected exactly one of `grant`, `incident`, `subject`");
    }
    errors.finish()?;

    let requests = app.store().evidence(app.now(), about, &after, PAGE).await?;
    let ids: Vec<String> = requests.iter().map(|request| request.id.clone()).collect();
    let trail = app.store().trail(&ids).await?;
    let full = i64::try_from(ids.len()).is_ok_and(|count| count >= PAGE);
    let next = ids.last().filter(|_| full).cloned();
    let requests: Vec<Value> = requests
        .into_iter()
        .map(|request| {
            let steps: Vec<Value> = trail
                .iter()
                .filter(|step| step.request_id == request.id)
                .map(|step| {
                    json!({
                        "at": rfc3339(Moment::from_millis(step.at_ms).seconds()),
                        "actor": step.actor,
                        "action": step.action,
                        "detail": step.detail,
                    })
                })
                .collect();
            json!({ "request": View::new(&config, request), "trail": steps })
        })
        .collect();
    let answer = json!({ "requests": requests, "next": next });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}
