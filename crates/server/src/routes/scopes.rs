//! `GET /v1/scopes`: what the caller may ask for, and what the caller may approve. An auditor sees every scope.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::scopes::{Scope, Scopes};

use crate::access::policy;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::duration;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
) -> ([(HeaderName, &'static str); 1], Json<Scopes>) {
    let config = app.config();
    let audits = policy::check_auditor(&config, &person).is_ok();
    let scopes = config
        .scopes
        .iter()
        .map(|scope| {
            let may_request = scope.may_be_requested_by(&person);
            let may_approve = scope.may_be_approved_by(&person);
            (scope, may_request, may_approve)
        })
        .filter(|(_, may_request, may_approve)| *may_request || *may_approve || audits)
        .map(|(scope, may_request, may_approve)| Scope {
            name: scope.name.clone(),
            summary: scope.summary.clone(),
            audience: scope.audience.clone(),
            max_duration: duration::format(scope.max_duration),
            may_request,
            may_approve,
            approvers: policy::approvers(&config, &person.name, std::slice::from_ref(&scope.name)),
        })
        .collect();
    ([(header::CACHE_CONTROL, "no-store")], Json(Scopes { scopes }))
}
