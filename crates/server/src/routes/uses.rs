//! `GET /v1/grants/{jti}/uses`: what a grant was used for, as the proxies counted it, for those who may see its request.
//! `GET /v1/scopes/uses`: the same of all grants of a scope, beside what it opens, for auditors.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::uses::{GrantUses, ScopeUses, ScopeUsesQuery, UsesOfGrant};

use super::body::{FieldErrors, Id, QueryString};
use crate::access::Access;
use crate::app::App;
use crate::auth::identity::{AsAuditor, AsPerson};
use crate::clock::{Moment, parse_rfc3339, written};
use crate::domain;
use crate::evidence::UsesOfGrants;
use crate::limits::MAX_GRANTS_OF_USES;
use crate::problem::Problem;

type Answer<T> = ([(HeaderName, &'static str); 1], Json<T>);

fn answer<T>(body: T) -> Answer<T> {
    ([(header::CACHE_CONTROL, "no-store")], Json(body))
}

pub(super) async fn of_grant(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(jti): Id,
) -> Result<Answer<UsesOfGrant>, Problem> {
    let request = domain::grant(&app, app.now(), &jti).await?;
    Access::of(&app.config()).check_involved(&person, &domain::held::request(&request))?;
    let GrantUses { uses, other_records } = app.evidence().uses_of(&jti).await?;
    Ok(answer(UsesOfGrant { grant: jti, uses, other_records }))
}

pub(super) async fn of_scope(
    State(app): State<App>,
    _: AsAuditor,
    QueryString(query): QueryString<ScopeUsesQuery>,
) -> Result<Answer<ScopeUses>, Problem> {
    let mut errors = FieldErrors::default();
    let config = app.config();
    let Some(scope) = config.scope(&query.scope) else {
        errors.add("scope", "expected a scope of the service's configuration");
        return Err(errors.into_problem());
    };
    let Some(since) = parse_rfc3339(&query.since) else {
        errors.add("since", "expected an instant such as `2026-11-22T02:13:00Z`");
        return Err(errors.into_problem());
    };
    let until = app.now();
    let over = app.store().over_grants(&scope.name, (since, until), MAX_GRANTS_OF_USES).await?;
    let grants: Vec<&str> = over.grants.iter().map(String::as_str).collect();
    let UsesOfGrants { uses, used } = app.evidence().uses_of_grants(&grants).await?;
    let GrantUses { uses, other_records } = uses;
    let removed = app.evidence().retention().await?.removed_before_ms;
    let definitions = app.definitions();
    let definition = definitions.get(&scope.audience, &scope.name);
    Ok(answer(ScopeUses {
        scope: scope.name.clone(),
        since: written(since),
        until: written(until),
        grants: i64::try_from(grants.len()).unwrap_or(i64::MAX),
        more: over.more,
        used,
        uses,
        other_records,
        removed_before: (removed > 0).then(|| written(Moment::from_millis(removed))),
        rules: definition.and_then(|known| serde_json::from_str(&known.rules.canonical()).ok()),
    }))
}
