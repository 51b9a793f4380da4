//! `GET /v1/scopes`: what the caller may ask for, and what the caller may approve. An auditor sees every scope. With
//! `for=POST /v1/orders` those of which a definition covers such a request.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::scopes::{ForRequest, Scope, Scopes, ScopesQuery};

use super::body::{FieldErrors, QueryString};
use super::opens;
use crate::access::Access;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::definitions::Wanted;
use crate::duration;
use crate::problem::Problem;

type Answer = ([(HeaderName, &'static str); 1], Json<Scopes>);

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    QueryString(query): QueryString<ScopesQuery>,
) -> Result<Answer, Problem> {
    let wanted = wanted(&query)?;
    let (config, definitions) = (app.config(), app.definitions());
    let live = wanted.as_ref().map(|_| opens::live(&app)).unwrap_or_default();
    let (access, now) = (Access::of(&config), app.now());
    let audits = access.is_auditor(&person);
    let scopes = config
        .scopes
        .iter()
        .map(|scope| {
            let may_request = access.may_request(&person, scope).is_yes();
            let may_approve = access.may_approve(&person, scope).is_yes();
            (scope, may_request, may_approve)
        })
        .filter(|(_, may_request, may_approve)| *may_request || *may_approve || audits)
        .filter_map(|(scope, may_request, may_approve)| {
            let rules = match &wanted {
                None => None,
                Some(wanted) => {
                    let definition = definitions.get(&scope.audience, &scope.name)?;
                    let covering = definition.covers(wanted).then_some(definition)?;
                    Some(opens::defined(&app, &live, &scope.audience, &scope.name, covering))
                }
            };
            Some(Scope {
                name: scope.name.clone(),
                summary: scope.summary.clone(),
                audience: scope.audience.clone(),
                max_duration: duration::format(scope.max_duration),
                may_request,
                may_approve,
                approvers: access
                    .approvers(&person.name, std::slice::from_ref(&scope.name), now)
                    .names()
                    .to_vec(),
                rules,
            })
        })
        .collect();
    let for_request = wanted.map(|wanted| ForRequest {
        method: wanted.method().to_owned(),
        path: wanted.path().to_owned(),
        host: wanted.host().map(str::to_owned),
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Scopes { scopes, for_request })))
}

fn wanted(query: &ScopesQuery) -> Result<Option<Wanted>, Problem> {
    let mut errors = FieldErrors::default();
    let ScopesQuery { for_request, host } = query;
    let wanted = match (for_request, host) {
        (None, None) => None,
        (None, Some(_)) => {
            errors.add("host", "expected only beside `for`");
            None
        }
        (Some(request), host) => match Wanted::read(request, host.as_deref()) {
            Ok(wanted) => Some(wanted),
            Err((field, message)) => {
                errors.add(field, message);
                None
            }
        },
    };
    errors.finish()?;
    Ok(wanted)
}
