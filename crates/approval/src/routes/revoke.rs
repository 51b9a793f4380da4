//! `POST /v1/grants/{jti}/revoke`: the holder, or anybody who may approve one of the scopes, ends
//! a grant. A second time tells of the first.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{FieldErrors, Id, JsonBody};
use crate::app::App;
use crate::clock::{Moment, rfc3339};
use crate::identity::AsPerson;
use crate::problem::{Problem, Reason};
use crate::store::{Revoked, StoreError};
use crate::text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[serde(default)]
    reason: String,
}

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(jti): Id,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<Value>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&body.reason));
    errors.finish()?;

    let now = app.now()?;
    let grant = super::grant(&app, now, &jti).await?;
    if !super::may_revoke(&app, &person, &grant) {
        return Err(Problem::new(
            Reason::NotAnApprover,
            "only the holder and those who may approve one of its scopes may revoke a grant",
        ));
    }
    let revoked = revoke(&app, now, &jti, &person.name, &body.reason).await?;
    Ok(Json(json!({
        "grant": jti,
        "revoked": {
            "by": revoked.revoked_by,
            "at": rfc3339(Moment::from_millis(revoked.revoked_at_ms).seconds()),
            "reason": revoked.reason,
        },
        "epoch": revoked.epoch,
        "expires_at": rfc3339(revoked.expires_at),
        "approved_at": grant.approved_at.map(rfc3339),
    })))
}

/// Revokes, for a caller who may.
pub(super) async fn revoke(
    app: &App,
    now: Moment,
    jti: &str,
    actor: &str,
    reason: &str,
) -> Result<Revoked, Problem> {
    match app.store().revoke(now, jti, actor, reason).await {
        Ok((revoked, true)) => {
            app.revoked(now, 1).await;
            tracing::info!(grant = jti, actor, epoch = revoked.epoch, "revoked");
            Ok(revoked)
        }
        Ok((earlier, false)) => Ok(earlier),
        Err(StoreError::RowsAffected(_)) => Err(Problem::new(
            Reason::GrantExpired,
            "this grant has ended by itself: there is nothing left to revoke",
        )),
        Err(error) => Err(error.into()),
    }
}
