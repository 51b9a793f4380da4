//! `POST /v1/grants/{jti}/revoke`: the holder, those who may approve one of the scopes, and responders end
//! a grant. A second time tells of the first. A grant that is over by our clock is revoked all the same, and
//! `had_ended` says so: the clock may be wrong.

use axum::Json;
use axum::extract::State;
use breakglass_api::Instant;
use breakglass_api::request::{Refusal, Why};
use breakglass_api::revocation::Revoked as Answer;

use super::body::{FieldErrors, Id, JsonBody};
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::problem::Problem;
use crate::store::Revoked;
use crate::text;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(jti): Id,
    JsonBody(body): JsonBody<Why>,
) -> Result<Json<Answer>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&body.reason));
    errors.finish()?;

    let now = app.now();
    let grant = super::lookup::grant(&app, now, &jti).await?;
    super::lookup::check_revoke(&app, &person, &grant)?;
    let (revoked, had_ended) = revoke(&app, now, &jti, &person.name, &body.reason).await?;
    Ok(Json(Answer {
        grant: jti,
        revoked: Refusal {
            by: revoked.revoked_by,
            at: written(Moment::from_millis(revoked.revoked_at_ms)),
            reason: revoked.reason,
        },
        epoch: revoked.epoch,
        expires_at: Instant::from_seconds(revoked.expires_at),
        approved_at: grant.approved_at.map(Instant::from_seconds),
        had_ended,
    }))
}

/// Revokes, for a caller who may. Also says whether by our clock the grant had ended before.
pub(super) async fn revoke(
    app: &App,
    now: Moment,
    jti: &str,
    actor: &str,
    reason: &str,
) -> Result<(Revoked, bool), Problem> {
    match app.store().revoke(now, jti, actor, reason).await {
        Ok((revoked, true)) => {
            app.revoked(1).await;
            let had_ended = revoked.expires_at <= app.timekeeper().reading().latest().seconds();
            tracing::info!(grant = jti, actor, epoch = revoked.epoch, had_ended, "revoked");
            Ok((revoked, had_ended))
        }
        Ok((earlier, false)) => Ok((earlier, false)),
        Err(error) => Err(error.into()),
    }
}
