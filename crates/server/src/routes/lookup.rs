//! What several endpoints ask about a request or its grant.

use crate::access::{Access, Held};
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::limits::MAX_CLOCK_STEP_S;
use crate::problem::{Problem, Reason};
use crate::store::Request;

/// The request with this id.
pub(super) async fn request(app: &App, now: Moment, id: &str) -> Result<Request, Problem> {
    app.store().request(now, id).await?.ok_or_else(|| {
        Problem::new(
            Reason::RequestUnknown,
            "there is no request with this id: `breakglass status` lists those you may see",
        )
    })
}

/// The request whose grant has this id.
pub(super) async fn grant(app: &App, now: Moment, jti: &str) -> Result<Request, Problem> {
    app.store().grant(now, jti).await?.ok_or_else(|| {
        Problem::new(
            Reason::GrantUnknown,
            "there is no grant with this id: `breakglass status` lists those you may see",
        )
    })
}

/// Whether the grant was approved by `now`: a clock that was wrong may have dated it later.
pub(super) fn has_begun(grant: &Request, now: Moment) -> bool {
    let begins = grant.approved_at.map(|at| at.saturating_sub(MAX_CLOCK_STEP_S));
    begins.is_some_and(|begins| begins <= now.seconds())
}

/// A request or its grant, as far as it matters to who may see or end it.
pub(super) fn held(request: &Request) -> Held<'_> {
    Held {
        holder: &request.requester,
        approver: request.approved_by.as_deref(),
        audience: &request.audience,
        scopes: &request.scopes,
    }
}

/// Whether `person` may revoke `grant`, as a refusal if not.
pub(super) fn check_revoke(app: &App, person: &Person, grant: &Request) -> Result<(), Problem> {
    Ok(Access::of(&app.config()).check_revoke(person, &held(grant))?)
}

/// The refusal for a request that is not pending any more.
pub(super) fn not_pending(request: &Request) -> Problem {
    Problem::new(
        Reason::NotPending,
        format!("this request is {}: only a pending one can be decided", request.state.word()),
    )
}
