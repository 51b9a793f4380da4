//! `POST /v1/requests/{id}/deny`: somebody who may approve one of the scopes says no, and why.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::body::{FieldErrors, Id, JsonBody};
use super::view::View;
use crate::access::policy;
use crate::action::Action;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::problem::{Problem, Reason};
use crate::store::{self, StoreError};
use crate::text;
use breakglass_audit::folded::Folded;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[serde(default)]
    reason: String,
}

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<View>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&body.reason));
    errors.finish()?;

    let now = app.now();
    let request = super::lookup::request(&app, now, &id).await?;
    if Folded::new(&request.requester).is(&person.name) {
        let detail = "this request is yours: `breakglass cancel` takes it back";
        return Err(Problem::new(Reason::NotAnApprover, detail));
    }
    if !policy::may_refuse(&app.config(), &person, &request.scopes) {
        let detail = "only those who may approve one of its scopes may deny a request";
        return Err(Problem::new(Reason::NotAnApprover, detail));
    }
    if request.state != store::State::Pending {
        return Err(super::lookup::not_pending(&request));
    }
    match app.store().deny(now, &id, &person.name, &body.reason).await {
        Ok(()) => {}
        // Somebody else was first.
        Err(StoreError::RowsAffected(_)) => {
            return Err(super::lookup::not_pending(&super::lookup::request(&app, now, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    app.changed(Action::Deny, &id);
    tracing::info!(request = id, approver = person.name, "denied");
    let request = super::lookup::request(&app, now, &id).await?;
    Ok(Json(View::new(&app.config(), request)))
}
