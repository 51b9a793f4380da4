//! `GET /v1/directory/held-ends` and `POST /v1/directory/held-ends/confirm`: ends of grants that are held because many people
//! lost a group at once, for administrators.

use axum::Json;
use axum::extract::State;
use breakglass_api::directory::{ConfirmHeldEnds, ConfirmedHeldEnds, HeldEnds};

use super::body::JsonBody;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::domain;
use crate::problem::Problem;
use crate::store::HeldEnd;

pub(super) async fn list(
    State(app): State<App>,
    AsPerson(person): AsPerson,
) -> Result<Json<HeldEnds>, Problem> {
    let held_ends = domain::held_ends(&app, &person).await?;
    Ok(Json(HeldEnds { held_ends: held_ends.into_iter().map(view).collect() }))
}

pub(super) async fn confirm(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    JsonBody(body): JsonBody<ConfirmHeldEnds>,
) -> Result<Json<ConfirmedHeldEnds>, Problem> {
    let done = domain::confirm(&app, &person, app.now(), &body.group).await?;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let (people, revoked, left) = (count(done.people), count(done.revoked), count(done.left));
    Ok(Json(ConfirmedHeldEnds { people, revoked, left }))
}

pub(super) fn view(
    HeldEnd { group_name, account, lost_at }: HeldEnd,
) -> breakglass_api::directory::HeldEnd {
    breakglass_api::directory::HeldEnd {
        group: group_name,
        person: account,
        since: written(Moment::from_seconds(lost_at)),
    }
}
