//! `POST /v1/requests/{id}/approve`: another person, who may approve every scope, says yes to what
//! was shown: an approval names the digest of the request.
//!
//! What the configuration says now counts, not what it said at submission: a requester who has
//! lost a group, or a scope that has become shorter, is refused here.

use axum::Json;
use axum::extract::State;
use breakglass_api::evidence::Action;
use breakglass_api::request::{Approve, Request as View};

use super::body::{Id, OptionalBody};
use super::view::view_in_full;
use crate::access::{Access, Refused};
use crate::app::App;
use crate::auth::identity::{AsPerson, has_submitted};
use crate::config::Person;
use crate::problem::{Problem, Reason};
use crate::store::{self, Approval, Approved, Request, StoreError};

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    OptionalBody(body): OptionalBody<Approve>,
) -> Result<Json<View>, Problem> {
    let now = app.trusted_now()?;
    let request = super::lookup::request(&app, now, &id).await?;
    check(&app, &person, &request)?;
    let Some(digest) = body.digest else {
        let detail = "an approval says what it approves: send the `digest` of the request as it was shown; \
                      `breakglass approve` of this version does, and `request` here has it";
        let problem = Problem::new(Reason::DigestRequired, detail);
        return Err(problem.with_request(view_in_full(&app, request).await?));
    };

    let jti = app.randomness().id("grant", now);
    let approval = Approval { id: &id, approver: &person.name, jti: &jti, digest: &digest };
    match app.store().approve(now, &approval).await {
        Ok(Approved::Done) => {}
        Ok(Approved::OtherDigest) => {
            let detail = "this request is not what was shown: the digest is another one; read `request`, and approve \
                          that, or deny it";
            let request = super::lookup::request(&app, now, &id).await?;
            let problem = Problem::new(Reason::RequestChanged, detail);
            return Err(problem.with_request(view_in_full(&app, request).await?));
        }
        // Somebody else was first.
        Err(StoreError::RowsAffected(_)) => {
            return Err(super::lookup::not_pending(&super::lookup::request(&app, now, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    app.changed(Action::Approve, &id);
    tracing::info!(request = id, grant = jti, approver = person.name, digest, "approved");
    let request = super::lookup::request(&app, now, &id).await?;
    Ok(Json(view_in_full(&app, request).await?))
}

fn check(app: &App, person: &Person, request: &Request) -> Result<(), Problem> {
    let config = &app.config();
    let access = Access::of(config);
    access.check_approve(person, &request.requester, &request.scopes)?;
    if request.state != store::State::Pending {
        return Err(super::lookup::not_pending(request));
    }
    let requester = config.person(&request.requester).ok_or_else(|| {
        Problem::new(Reason::NoLongerAllowed, "the requester is no longer in the configuration")
    })?;
    if !has_submitted(requester, request) {
        return Err(Problem::new(
            Reason::NoLongerAllowed,
            "the requester has another API token now, and could not get the grant's: deny it, and have \
             the requester ask again",
        ));
    }
    let assessment =
        access.assess(requester, &request.scopes, request.duration_s).map_err(no_longer_allowed)?;
    if assessment.audience != request.audience {
        return Err(Problem::new(
            Reason::NoLongerAllowed,
            "its scopes are now for another environment: deny it",
        ));
    }
    Ok(())
}

/// What cannot be known now may be allowed all the same.
fn no_longer_allowed(refused: Refused) -> Problem {
    let is_unknown = refused == Refused::MembershipUnknown;
    let problem = Problem::from(refused);
    if is_unknown {
        return problem;
    }
    let word = problem.reason().word();
    Problem::new(
        Reason::NoLongerAllowed,
        format!("the configuration no longer allows this request ({word}): deny it"),
    )
}
