//! `GET /v1/audit/attempts`: what known callers were refused and what auditors read, the oldest first. For auditors.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::Word;
use breakglass_api::attempts::{Attempt, Attempts};
use breakglass_api::trail::AfterQuery;

use super::body::QueryString;
use crate::app::App;
use crate::auth::identity::AsAuditor;
use crate::clock::{Moment, written};
use crate::evidence::AttemptRow;
use crate::problem::Problem;

/// How many rows one answer lists.
const PAGE: i64 = 500;

pub(super) async fn handler(
    State(app): State<App>,
    _: AsAuditor,
    QueryString(AfterQuery { after }): QueryString<AfterQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<Attempts>), Problem> {
    let retention = app.evidence().retention().await?;
    let rows = app.evidence().attempts(after, PAGE).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= PAGE);
    let next = rows.last().filter(|_| full).map(|row| row.id);
    let attempts = rows.into_iter().map(view).collect();
    let removed_before = (retention.removed_before_ms > 0)
        .then(|| written(Moment::from_millis(retention.removed_before_ms)));
    let answer = Attempts { attempts, next, removed_before };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

fn view(row: AttemptRow) -> Attempt {
    Attempt {
        id: row.id,
        at: written(Moment::from_millis(row.at_ms)),
        outcome: Word::read(row.outcome),
        caller: row.caller,
        kind: Some(Word::read(row.kind)),
        source: row.source,
        method: row.method,
        endpoint: row.endpoint,
        object: row.object,
        query: row.query,
        status: row.status,
        reason: row.reason,
        count: row.count.unsigned_abs(),
    }
}
