//! `GET /v1/audit/attempts`: what known callers were refused and what auditors read, the oldest first. For auditors.

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
use crate::evidence::AttemptRow;
use crate::problem::Problem;

/// How many rows one answer lists.
const PAGE: i64 = 500;

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
    let retention = app.evidence().retention().await?;
    let rows = app.evidence().attempts(after, PAGE).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= PAGE);
    let next = rows.last().filter(|_| full).map(|row| row.id);
    let rows: Vec<Value> = rows.iter().map(view).collect();
    let removed = (retention.removed_before_ms > 0)
        .then(|| rfc3339(Moment::from_millis(retention.removed_before_ms).seconds()));
    let answer = json!({ "attempts": rows, "next": next, "removed_before": removed });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

fn view(row: &AttemptRow) -> Value {
    json!({
        "id": row.id,
        "at": rfc3339(Moment::from_millis(row.at_ms).seconds()),
        "outcome": row.outcome,
        "caller": row.caller,
        "kind": row.kind,
        "source": row.source,
        "method": row.method,
        "endpoint": row.endpoint,
        "object": row.object,
        "query": row.query,
        "status": row.status,
        "reason": row.reason,
        "count": row.count,
    })
}
