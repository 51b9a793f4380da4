//! `POST /v1/requests/{id}/deny`: another person, who may approve one of the scopes, says no, and why.

use axum::Json;
use axum::extract::State;
use breakglass_api::request::{Request as View, Why};

use super::body::{FieldErrors, Id, JsonBody};
use super::view::view_in_full;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::domain;
use crate::problem::Problem;
use crate::text;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    JsonBody(Why { reason }): JsonBody<Why>,
) -> Result<Json<View>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&reason));
    errors.finish()?;
    let request = domain::deny(&app, &person, app.now(), &id, &reason).await?;
    Ok(Json(view_in_full(&app, request).await?))
}
