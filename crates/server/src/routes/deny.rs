//! `POST /v1/requests/{id}/deny`: somebody who may approve one of the scopes says no, and why.

use axum::Json;
use axum::extract::State;
use breakglass_api::evidence::Action;
use breakglass_api::request::{Request as View, Why};

use super::body::{FieldErrors, Id, JsonBody};
use super::lookup::held;
use super::view::view_in_full;
use crate::access::Access;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::problem::Problem;
use crate::store::{self, StoreError};
use crate::text;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    JsonBody(body): JsonBody<Why>,
) -> Result<Json<View>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&body.reason));
    errors.finish()?;

    let now = app.now();
    let request = super::lookup::request(&app, now, &id).await?;
    Access::of(&app.config()).check_deny(&person, &held(&request))?;
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
    Ok(Json(view_in_full(&app, request).await?))
}
