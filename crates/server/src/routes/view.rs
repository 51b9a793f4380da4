//! Requests as JSON.

use breakglass_api::Instant;
use breakglass_api::request::{Grant, Refusal, Request as View};

use crate::access::{Access, Approvers};
use crate::app::App;
use crate::config::Config;
use crate::duration;
use crate::problem::Problem;
use crate::store::{Request, State};

/// A request with what each of its scopes opens.
pub(super) async fn view_in_full(app: &App, request: Request) -> Result<View, Problem> {
    let rules = super::opens::opens(app, &request).await?;
    Ok(View { rules, ..view(&app.config(), request) })
}

/// A request as its requester and its approvers see it in a list.
pub(super) fn view(config: &Config, request: Request) -> View {
    let approvers = (request.state == State::Pending)
        .then(|| Access::of(config).approvers(&request.requester, &request.scopes))
        .and_then(Approvers::into_names);
    let grant = grant(&request);
    let digest = request.digest();
    let denied = refusal(request.denied_by, request.denied_at, request.denial_reason);
    View {
        id: request.id,
        state: request.state.into(),
        requester: request.requester,
        audience: request.audience,
        scopes: request.scopes,
        reason: request.reason,
        incident: request.incident,
        emergency: request.emergency,
        duration: duration::format(request.duration_s),
        digest: Some(digest),
        rules: Vec::new(),
        submitted_at: Instant::from_seconds(request.submitted_at),
        lapses_at: Instant::from_seconds(request.lapses_at),
        approvers,
        grant,
        denied,
        cancelled_at: request.cancelled_at.map(Instant::from_seconds),
    }
}

fn grant(request: &Request) -> Option<Grant> {
    let revoked_at = request.revoked_at_ms.map(|millis| millis.div_euclid(1000));
    Some(Grant {
        id: request.jti.clone()?,
        approved_by: request.approved_by.clone()?,
        approved_at: Instant::from_seconds(request.approved_at?),
        expires_at: Instant::from_seconds(request.expires_at?),
        revoked: refusal(request.revoked_by.clone(), revoked_at, request.revocation_reason.clone()),
    })
}

fn refusal(by: Option<String>, at: Option<i64>, reason: Option<String>) -> Option<Refusal> {
    Some(Refusal { by: by?, at: Instant::from_seconds(at?), reason: reason? })
}
