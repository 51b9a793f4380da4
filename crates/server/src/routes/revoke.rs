//! `POST /v1/grants/{jti}/revoke`: the holder, or another person who may, ends a grant. A second time tells of the first. A
//! grant that is over by our clock is revoked all the same, and `had_ended` says so: the clock may be wrong.

use axum::Json;
use axum::extract::State;
use breakglass_api::Instant;
use breakglass_api::request::{Refusal, Why};
use breakglass_api::revocation::Revoked as Answer;

use super::body::{FieldErrors, Id, JsonBody};
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::domain::{self, Ending};
use crate::problem::Problem;
use crate::text;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(jti): Id,
    JsonBody(Why { reason }): JsonBody<Why>,
) -> Result<Json<Answer>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&reason));
    errors.finish()?;
    let ending = domain::revoke(&app, &person, app.now(), &jti, &reason).await?;
    let Ending { revoked, had_ended, request } = ending;
    Ok(Json(Answer {
        grant: jti,
        revoked: Refusal {
            by: revoked.revoked_by,
            at: written(Moment::from_millis(revoked.revoked_at_ms)),
            reason: revoked.reason,
        },
        epoch: revoked.epoch,
        expires_at: Instant::from_seconds(revoked.expires_at),
        approved_at: request.approved_at.map(Instant::from_seconds),
        had_ended,
    }))
}
