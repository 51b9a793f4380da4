//! `GET /v1/requests?state=pending&limit=50&mine=true&after=..`: the requests that the caller may see, or
//! only the caller's own, newest first. An auditor sees all. `next` of a page is `after` of the next one.

use axum::Json;
use axum::extract::State;
use breakglass_api::request::{ListQuery, Requests};

use super::body::{FieldErrors, QueryString};
use super::view::view;
use crate::access::Access;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::problem::Problem;
use crate::store::{self, Filter, RequestPage, Visible};

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    QueryString(parameters): QueryString<ListQuery>,
) -> Result<Json<Requests>, Problem> {
    let mut errors = FieldErrors::default();
    let state = parameters.state.and_then(|word| {
        store::State::try_from(word).map_err(|error| errors.add("state", error.to_string())).ok()
    });
    let limit = parameters.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        errors.add("limit", format!("expected a number from 1 to {MAX_LIMIT}"));
    }
    errors.finish()?;

    let config = app.config();
    let (access, mine) = (Access::of(&config), parameters.mine);
    let scopes = if mine { Vec::new() } else { access.visible_scopes(&person) };
    let visible = match access.is_auditor(&person) && !mine {
        true => Visible::Everything,
        false => Visible::Of { requester: &person.name, scopes: &scopes },
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let filter = Filter { visible, state, after: parameters.after.as_deref(), limit };
    let now = app.now();
    let RequestPage { requests, next } = app.store().requests(now, &filter).await?;
    let requests = requests.into_iter().map(|request| view(&config, request, now)).collect();
    Ok(Json(Requests { requests, next }))
}
