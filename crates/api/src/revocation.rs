//! Revocations by people: `POST /v1/grants/{jti}/revoke` and `POST /v1/revocations`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::request::Refusal;
use crate::{Instant, schemas};

/// One grant that is revoked, by this call or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// The grant.
    pub grant: String,
    /// Who revoked it, when, and why.
    pub revoked: Refusal,
    /// A proxy that has reached it knows of this revocation.
    pub epoch: i64,
    /// When the grant would have ended.
    pub expires_at: Instant,
    /// When the grant was approved. Older services do not say.
    pub approved_at: Option<Instant>,
    /// True where the grant was over by the service's clock, which may be wrong; absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub had_ended: bool,
}

/// The kill switch: exactly one of the members beside `reason`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// This grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub grant: Option<String>,
    /// All grants of this holder; takes the right to approve every scope of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 256)]
    pub subject: Option<String>,
    /// The grants of this incident that the caller may revoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 256)]
    pub incident: Option<String>,
    /// The grants that name this scope and that the caller may revoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 256)]
    pub scope: Option<String>,
    /// All grants; takes the right to approve every scope of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, schema_with = schemas::only_true)]
    pub all: Option<bool>,
    /// One line; at most 1024 bytes.
    #[serde(default)]
    #[schema(required = true, max_length = 1024)]
    pub reason: String,
}

/// What the kill switch did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Killed {
    /// How many grants it revoked.
    pub revoked: u64,
    /// Their ids; at most 1000.
    #[schema(max_items = 1000)]
    pub grants: Vec<String>,
    /// A proxy that has reached it knows all of them.
    pub epoch: i64,
    /// How many others match that the caller may not revoke.
    pub not_yours: u64,
    /// Other spellings of the name that were found, and what became of their grants.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub look_alikes: Vec<LookAlike>,
    /// When the last of the grants that this call revoked would have ended: until then, and the filter's clock skew,
    /// something may run under them at a proxy that has not heard. Null where it revoked none. Older services do not
    /// say.
    pub latest_expires_at: Option<Instant>,
    /// When the first of them was approved. Older services do not say.
    pub earliest_approved_at: Option<Instant>,
    /// How many of those revoked were over by the service's clock, which may be wrong; absent where none was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub had_ended: u64,
}

/// Another spelling of the name, and what became of its grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LookAlike {
    /// The name as it is spelt.
    pub name: String,
    /// How many were revoked.
    pub revoked: u64,
    /// How many the caller may not revoke.
    pub not_yours: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
