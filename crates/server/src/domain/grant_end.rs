//! How a grant ended.

use breakglass_api::Instant;
use breakglass_api::request::State;
use breakglass_api::reviews::{EndedHow, GrantEnd};

use crate::store::Request;

/// How the grant of a request ended: by its time, or because it was revoked before. None while it holds, and of a request
/// without one. A revocation of what was over already ended nothing.
#[must_use]
pub fn grant_end(request: &Request) -> Option<GrantEnd> {
    let expires_at = request.expires_at?;
    let revoked_at = request.revoked_at_ms.map(|at| at.div_euclid(1000));
    match (request.state, revoked_at) {
        (State::Revoked, Some(at)) if at < expires_at => Some(GrantEnd {
            how: EndedHow::Revoked.into(),
            at: Instant::from_seconds(at),
            by: request.revoked_by.clone(),
            reason: request.revocation_reason.clone(),
        }),
        (State::Revoked | State::Expired, _) => Some(GrantEnd {
            how: EndedHow::Expired.into(),
            at: Instant::from_seconds(expires_at),
            by: None,
            reason: None,
        }),
        _ => None,
    }
}
