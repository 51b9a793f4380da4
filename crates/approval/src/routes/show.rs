//! `GET /v1/requests/{id}?wait=25s`: a request, at once or when it is no longer pending.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tokio::time::{Duration, Instant};

use super::body::{Id, QueryString, wait};
use super::view::View;
use crate::app::App;
use crate::identity::AsPerson;
use crate::policy;
use crate::problem::{Problem, Reason};
use crate::store;

/// How often a wait looks at the clock, so that a request that lapses is noticed.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    wait: Option<String>,
}

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    QueryString(parameters): QueryString<Parameters>,
) -> Result<Json<View>, Problem> {
    let wait = wait(parameters.wait)?;
    // Before the first look, so that no change falls between the two.
    let mut news = app.news();
    let start = Instant::now();
    loop {
        let request = super::request(&app, app.now()?, &id).await?;
        let involved = request.requester == person.name
            || policy::may_refuse(&app.config(), &person, &request.scopes)
            || policy::check_auditor(&app.config(), &person).is_ok();
        if !involved {
            return Err(Problem::new(
                Reason::NotInvolved,
                "only the requester, those who may approve one of its scopes, and auditors see a \
                 request",
            ));
        }
        let left = wait.saturating_sub(start.elapsed());
        let stopping = news.borrow_and_update().stopping;
        if request.state != store::State::Pending || left.is_zero() || stopping {
            return Ok(Json(View::new(&app.config(), request)));
        }
        // Either way there is reason to look again.
        let _ = tokio::time::timeout(left.min(LOOK), news.changed()).await;
    }
}
