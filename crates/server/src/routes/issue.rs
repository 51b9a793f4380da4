//! `POST /v1/requests/{id}/token`: the requester gets a token of the approved grant, as often as needed while it holds.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::Instant;
use breakglass_api::token::Issued;

use super::body::Id;
use super::judged::AsJudged;
use crate::app::App;
use crate::domain;
use crate::problem::Problem;

pub(super) async fn handler(
    State(app): State<App>,
    AsJudged(actor): AsJudged,
    Id(id): Id,
) -> Result<([(HeaderName, &'static str); 1], Json<Issued>), Problem> {
    let now = app.trusted_now()?;
    let taken = domain::take_token(&app, &actor, now, &id).await?;
    let issued = Issued {
        token: taken.minted.token,
        grant: taken.claims.jti,
        scope: taken.claims.scope.join(" "),
        audience: taken.request.audience,
        expires_at: Instant::from_seconds(taken.request.expires_at.unwrap_or_default()),
        old_groups: taken.old_groups.into_iter().collect(),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(issued)))
}
