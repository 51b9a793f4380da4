//! `POST /v1/requests/{id}/question` and `/answer`: before an approver decides.

use axum::Json;
use axum::extract::State;
use breakglass_api::request::{Request as View, Say};

use super::body::{FieldErrors, Id, JsonBody};
use super::view::view_in_full;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::domain;
use crate::problem::Problem;
use crate::text;

pub(super) async fn question(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    JsonBody(say): JsonBody<Say>,
) -> Result<Json<View>, Problem> {
    let text = checked(say)?;
    let request = domain::question(&app, &person, app.now(), &id, &text).await?;
    Ok(Json(view_in_full(&app, request).await?))
}

pub(super) async fn answer(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    JsonBody(say): JsonBody<Say>,
) -> Result<Json<View>, Problem> {
    let text = checked(say)?;
    let request = domain::answer(&app, &person, app.now(), &id, &text).await?;
    Ok(Json(view_in_full(&app, request).await?))
}

fn checked(Say { text }: Say) -> Result<String, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("text", text::reason(&text));
    errors.finish()?;
    Ok(text)
}
