//! `GET /v1/audit/service`: what was done to the service itself, the oldest first. For auditors.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::QueryString;
use crate::access::policy;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, rfc3339};
use crate::problem::Problem;

/// How many acts one answer lists.
const PAGE: i64 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(default)]
    after: i64,
}

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    QueryString(Parameters { after }): QueryString<Parameters>,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    policy::check_auditor(&app.config(), &person)?;
    let acts = app.store().acts(after, PAGE).await?;
    let full = i64::try_from(acts.len()).is_ok_and(|count| count >= PAGE);
    let next = acts.last().filter(|_| full).map(|act| act.seq);
    let acts: Vec<Value> = acts
        .into_iter()
        .map(|act| {
            json!({
                "seq": act.seq,
                "at": rfc3339(Moment::from_millis(act.at_ms).seconds()),
                "actor": act.actor,
                "action": act.action,
                "detail": act.detail,
            })
        })
        .collect();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({ "acts": acts, "next": next }))))
}
