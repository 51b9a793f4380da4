//! `POST /v1/requests/{id}/approve`: another person, who may approve every scope, says yes to what was shown, or to less:
//! an approval names the digest of the request.

use axum::Json;
use axum::extract::State;
use breakglass_api::request::{Approve, Request as View};

use super::body::{FieldErrors, Id, OptionalBody};
use super::judged::AsJudged;
use super::refusal;
use super::view::view_with;
use crate::app::App;
use crate::domain::{self, Approval, Approved, Narrowing};
use crate::limits::MAX_SCOPES;
use crate::problem::Problem;
use crate::{duration, text};

pub(super) async fn handler(
    State(app): State<App>,
    AsJudged(actor): AsJudged,
    Id(id): Id,
    OptionalBody(body): OptionalBody<Approve>,
) -> Result<Json<View>, Problem> {
    let Approve { digest, scopes, duration, note } = body;
    let narrowing = narrowing(scopes, duration, note.as_deref())?;
    let approval = Approval { digest: digest.as_deref(), narrowing, note: note.as_deref() };
    let parties = domain::judge_parties(&app, actor, &id).await?;
    let now = app.trusted_now()?;
    match domain::approve(&app, &parties, now, &id, &approval).await {
        Ok(Approved { request, configuration }) => {
            let configuration = configuration.map(|digest| digest.to_string());
            let view = view_with(&app, request, configuration).await?;
            Ok(Json(View { old_groups: parties.old_groups(), ..view }))
        }
        Err(refused) => Err(refusal::with_request(&app, refused).await),
    }
}

fn narrowing(
    scopes: Option<Vec<String>>,
    duration: Option<String>,
    note: Option<&str>,
) -> Result<Narrowing, Problem> {
    let mut errors = FieldErrors::default();
    if scopes.as_ref().is_some_and(|scopes| scopes.len() > MAX_SCOPES) {
        errors.add("scopes", format!("expected at most {MAX_SCOPES} scopes"));
    }
    for (index, scope) in scopes.iter().flatten().enumerate() {
        errors.check(&format!("scopes[{index}]"), text::scope(scope));
    }
    let duration_s = duration.and_then(|duration| {
        duration::parse(&duration).map_err(|error| errors.add("duration", error.to_string())).ok()
    });
    if let Some(note) = note {
        errors.check("note", text::reason(note));
    }
    errors.finish()?;
    Ok(Narrowing { scopes, duration_s })
}
