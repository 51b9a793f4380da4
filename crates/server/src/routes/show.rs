//! `GET /v1/requests/{id}?wait=25s`: a request, at once or when it is no longer pending, or something is said about it.

use axum::Json;
use axum::extract::State;
use breakglass_api::request::{Request as View, ShowQuery};
use tokio::time::{Duration, Instant};

use super::body::{Id, QueryString, wait};
use super::view::view_in_full;
use crate::access::Access;
use crate::app::App;
use crate::auth::current_session::{CurrentSession, still_known};
use crate::auth::identity::AsPerson;
use crate::clock::Moment;
use crate::domain;
use crate::problem::Problem;
use crate::store;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    session: CurrentSession,
    Id(id): Id,
    QueryString(parameters): QueryString<ShowQuery>,
) -> Result<Json<View>, Problem> {
    let wait = wait(parameters.wait)?;
    // Before the first look, so that no change falls between the two. Without a place, what is decided is
    // answered all the same.
    let mut place = (!wait.is_zero()).then(|| app.waits().enter(&person.name, &id));
    let mut said = None;
    let start = Instant::now();
    loop {
        let now = app.now();
        let request = domain::request(&app, now, &id).await?;
        let config = app.config();
        let person = still_known(&app, &config, &person, &session)?;
        Access::of(&config).check_involved(&person, &domain::held::request(&request))?;
        let left = wait.saturating_sub(start.elapsed());
        let is_news = request.state != store::State::Pending
            || request.remarks > *said.get_or_insert(request.remarks);
        if is_news || left.is_zero() || app.is_stopping() {
            return Ok(Json(view_in_full(&app, request).await?));
        }
        let Some(place) = &mut place else {
            return Ok(Json(view_in_full(&app, request).await?));
        };
        let place = place.as_mut().map_err(|error| Problem::from(*error))?;
        place.news(left.min(until_lapse(now, request.lapses_at))).await;
    }
}

/// How long it is until a pending request lapses.
fn until_lapse(now: Moment, lapses_at: i64) -> Duration {
    let left = Moment::from_seconds(lapses_at).millis().saturating_sub(now.millis());
    Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1))
}
