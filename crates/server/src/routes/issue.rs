//! `POST /v1/requests/{id}/token`: the requester gets a token of the approved grant, as often as
//! needed while it holds: always the same `jti`, always the same end. It takes the credential that
//! submitted the request: whoever has another one under that name, since yesterday or by mistake, asks
//! again. A token that was issued stays good when the credential is replaced.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::Instant;
use breakglass_api::evidence::Action;
use breakglass_api::token::Issued;
use breakglass_types::claims::Claims;

use super::body::Id;
use crate::app::App;
use crate::auth::identity::{AsPerson, has_submitted};
use crate::clock::{Moment, rfc3339};
use crate::config::Person;
use crate::granted::Granted;
use crate::problem::{Problem, Reason};
use crate::store::{self, Request, StoreError};

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
) -> Result<([(HeaderName, &'static str); 1], Json<Issued>), Problem> {
    let now = app.trusted_now()?;
    let request = super::lookup::request(&app, now, &id).await?;
    if request.requester != person.name {
        return Err(Problem::new(
            Reason::NotTheRequester,
            "only the requester gets the token of a grant",
        ));
    }
    if !has_submitted(&person, &request) {
        return Err(Problem::new(
            Reason::CredentialChanged,
            "this request was submitted with another API token of yours, and only that one gets its \
             token: ask again with `breakglass request`",
        ));
    }
    let claims = claims(&app, now, &person, &request)?;
    let minted = app.issuer().mint(&claims).map_err(|error| Problem::internal(&error))?;
    match app.store().issue_token(now, &request, &minted.kid).await {
        Ok(()) => {}
        // It was revoked in between: the token that was just signed is dropped.
        Err(StoreError::RowsAffected(_)) => {
            return Err(no_grant(&super::lookup::request(&app, now, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    app.changed(Action::IssueToken, &id);
    tracing::info!(request = id, grant = claims.jti, kid = minted.kid, "token issued");
    let issued = Issued {
        token: minted.token,
        grant: claims.jti,
        scope: claims.scope.join(" "),
        audience: request.audience,
        expires_at: Instant::from_seconds(request.expires_at.unwrap_or_default()),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(issued)))
}

fn claims(app: &App, now: Moment, person: &Person, request: &Request) -> Result<Claims, Problem> {
    let (store::State::Approved, Some(jti), Some(approver), Some(expires_at)) =
        (request.state, &request.jti, &request.approved_by, request.expires_at)
    else {
        return Err(no_grant(request));
    };
    if !super::lookup::has_begun(request, now) {
        return Err(Problem::new(
            Reason::GrantNotBegun,
            format!(
                "this grant was approved while the service's clock was wrong, and begins at {}: ask again with \
                 `breakglass request`",
                rfc3339(request.approved_at.unwrap_or_default())
            ),
        ));
    }
    let instant = |seconds: i64| u64::try_from(seconds).map_err(|error| Problem::internal(&error));
    // What was approved, less what the person has lost since.
    let kept = |then: &[String], now: &[String]| {
        then.iter().filter(|name| now.contains(name)).cloned().collect()
    };
    Ok(Claims::from(Granted {
        issuer: app.issuer().name(),
        holder: &request.requester,
        roles: kept(&request.requester_roles, &person.roles),
        groups: kept(&request.requester_groups, &person.groups),
        audience: &request.audience,
        jti,
        // A filter honours no token before its `iat`, and so no grant before its approval.
        begins: instant(now.seconds().max(request.approved_at.unwrap_or_default()))?,
        ends: instant(expires_at)?,
        scopes: &request.scopes,
        digests: &request.scope_digests,
        reason: &request.reason,
        incident: request.incident.as_deref(),
        emergency: request.emergency,
        approvers: vec![approver.clone()],
    }))
}

fn no_grant(request: &Request) -> Problem {
    let again = "ask again with `breakglass request`";
    match request.state {
        store::State::Expired => {
            Problem::new(Reason::GrantExpired, format!("this grant has ended: {again}"))
        }
        store::State::Revoked => {
            Problem::new(Reason::GrantRevoked, format!("this grant was revoked: {again}"))
        }
        store::State::Pending => Problem::new(
            Reason::NotApproved,
            "this request waits for a decision: `breakglass request --wait` would have waited too",
        ),
        state => {
            Problem::new(Reason::NotApproved, format!("this request is {}: {again}", state.word()))
        }
    }
}
