//! `POST /v1/requests/{id}/cancel`: the requester takes a pending request back.

use axum::Json;
use axum::extract::State;
use breakglass_api::request::Request as View;

use super::body::Id;
use super::view::view_in_full;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::domain;
use crate::problem::Problem;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
) -> Result<Json<View>, Problem> {
    let request = domain::cancel(&app, &person, app.now(), &id).await?;
    Ok(Json(view_in_full(&app, request).await?))
}
