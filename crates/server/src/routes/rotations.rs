//! `GET /v1/rotations`, `POST /v1/rotations/{id}/done` and `POST /v1/rotations/{id}/retry`: what used grants touched, and whether
//! it was rotated after their end.

use axum::Json;
use axum::extract::State;
use breakglass_api::rotations::{
    Rotation, RotationDone, RotationOfRequest, RotationState, Rotations, RotationsQuery,
};
use breakglass_api::words::Vocabulary as _;

use super::body::{FieldErrors, Id, JsonBody, QueryString};
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::config::Config;
use crate::domain;
use crate::problem::Problem;
use crate::store;
use crate::store::StoreError;
use crate::text;

/// How many rotations a page lists.
const PAGE: usize = 200;

pub(super) async fn list(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    QueryString(query): QueryString<RotationsQuery>,
) -> Result<Json<Rotations>, Problem> {
    let mut errors = FieldErrors::default();
    let state = query.state.as_deref().and_then(RotationState::of);
    if query.state.is_some() && state.is_none() {
        errors.add("state", "expected one of `owed`, `failed`, `done`, `waiting`");
    }
    errors.finish()?;
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let rows = domain::rotations(&app, &person, (state, query.after.as_deref()), limit).await?;
    let next = rows.last().filter(|_| rows.len() >= PAGE).map(|last| last.id.clone());
    let config = app.config();
    let rotations = rows.into_iter().map(|row| view(&config, row)).collect();
    Ok(Json(Rotations { rotations, next }))
}

pub(super) async fn done(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    JsonBody(RotationDone { note }): JsonBody<RotationDone>,
) -> Result<Json<Rotation>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("note", text::reason(&note));
    errors.finish()?;
    let rotation = domain::rotated_by_hand(&app, &person, app.now(), &id, &note).await?;
    Ok(Json(view(&app.config(), rotation)))
}

pub(super) async fn retry(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
) -> Result<Json<Rotation>, Problem> {
    let rotation = domain::retry_rotation(&app, &person, app.now(), &id).await?;
    Ok(Json(view(&app.config(), rotation)))
}

/// The rotations of one request, in short.
pub(super) async fn of_request(
    app: &App,
    request: &store::Request,
) -> Result<Vec<RotationOfRequest>, StoreError> {
    if request.activated_at.is_none() {
        return Ok(Vec::new());
    }
    let rotations = app.store().rotations_of(&request.id).await?.into_iter();
    let short = |one: store::Rotation| {
        let state = one.state().into();
        RotationOfRequest { hook: one.hook, state }
    };
    Ok(rotations.map(short).collect())
}

fn view(config: &Config, row: store::Rotation) -> Rotation {
    let at = |millis| written(Moment::from_millis(millis));
    Rotation {
        state: row.state().into(),
        configured: config.rotation(&row.hook).is_some(),
        id: row.id,
        grant: row.jti,
        request: row.request_id,
        hook: row.hook,
        scopes: row.scopes.0,
        owed_at: row.owed_at_ms.map(at),
        attempts: row.attempts,
        last_outcome: row.last_outcome,
        done_at: row.done_at_ms.map(at),
        done_by: row.done_by,
        note: row.note,
    }
}
