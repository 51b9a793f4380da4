//! `GET /v1/audit/service`: what was done to the service itself, the oldest first. For auditors.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::Word;
use breakglass_api::trail::{Act, AfterQuery, ServiceTrail};

use super::body::QueryString;
use crate::app::App;
use crate::auth::identity::AsAuditor;
use crate::clock::{Moment, written};
use crate::problem::Problem;

/// How many acts one answer lists.
const PAGE: i64 = 200;

pub(super) async fn handler(
    State(app): State<App>,
    _: AsAuditor,
    QueryString(AfterQuery { after }): QueryString<AfterQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<ServiceTrail>), Problem> {
    let acts = app.store().acts(after, PAGE).await?;
    let full = i64::try_from(acts.len()).is_ok_and(|count| count >= PAGE);
    let next = acts.last().filter(|_| full).map(|act| act.seq);
    let acts = acts
        .into_iter()
        .map(|act| Act {
            seq: act.seq,
            at: written(Moment::from_millis(act.at_ms)),
            actor: act.actor,
            action: Word::read(act.action),
            detail: act.detail,
        })
        .collect();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(ServiceTrail { acts, next })))
}
