//! Requests as JSON.

use serde::Serialize;

use crate::access::policy;
use crate::clock::rfc3339;
use crate::config::Config;
use crate::duration;
use crate::store::{Request, State};

/// A request as its requester and its approvers see it.
#[derive(Debug, Serialize)]
pub(super) struct View {
    id: String,
    state: &'static str,
    requester: String,
    audience: String,
    scopes: Vec<String>,
    reason: String,
    incident: Option<String>,
    emergency: bool,
    duration: String,
    submitted_at: String,
    lapses_at: String,
    /// Who may approve it, while somebody may.
    #[serde(skip_serializing_if = "Option::is_none")]
    approvers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<GrantView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct GrantView {
    id: String,
    approved_by: String,
    approved_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Refusal>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    by: String,
    at: String,
    reason: String,
}

impl View {
    pub(super) fn new(config: &Config, request: Request) -> View {
        let approvers = (request.state == State::Pending)
            .then(|| policy::approvers(config, &request.requester, &request.scopes));
        let grant = grant(&request);
        let denied = refusal(request.denied_by, request.denied_at, request.denial_reason);
        View {
            id: request.id,
            state: request.state.word(),
            requester: request.requester,
            audience: request.audience,
            scopes: request.scopes,
            reason: request.reason,
            incident: request.incident,
            emergency: request.emergency,
            duration: duration::format(request.duration_s),
            submitted_at: rfc3339(request.submitted_at),
            lapses_at: rfc3339(request.lapses_at),
            approvers,
            grant,
            denied,
            cancelled_at: request.cancelled_at.map(rfc3339),
        }
    }
}

fn grant(request: &Request) -> Option<GrantView> {
    let revoked_at = request.revoked_at_ms.map(|millis| millis.div_euclid(1000));
    Some(GrantView {
        id: request.jti.clone()?,
        approved_by: request.approved_by.clone()?,
        approved_at: rfc3339(request.approved_at?),
        expires_at: rfc3339(request.expires_at?),
        revoked: refusal(request.revoked_by.clone(), revoked_at, request.revocation_reason.clone()),
    })
}

fn refusal(by: Option<String>, at: Option<i64>, reason: Option<String>) -> Option<Refusal> {
    Some(Refusal { by: by?, at: rfc3339(at?), reason: reason? })
}
