//! Requests and grants, as far as it matters to who may see or end them.

use crate::access::Held;
use crate::store::{LiveGrant, Request};

/// A request: its scopes are those asked for.
#[must_use]
pub fn request(request: &Request) -> Held<'_> {
    Held {
        holder: &request.requester,
        approvers: request.approvers().collect(),
        audience: &request.audience,
        scopes: &request.scopes,
    }
}

/// The grant of a request: its scopes may be fewer.
#[must_use]
pub fn grant(request: &Request) -> Held<'_> {
    Held { scopes: request.held_scopes(), ..self::request(request) }
}

/// A grant that can be revoked.
#[must_use]
pub fn live(grant: &LiveGrant) -> Held<'_> {
    Held {
        holder: &grant.requester,
        approvers: grant.approvers.iter().map(String::as_str).collect(),
        audience: &grant.audience,
        scopes: &grant.scopes,
    }
}
