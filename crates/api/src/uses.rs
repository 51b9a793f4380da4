//! What a grant was used for, as the proxies counted it in the heads of their chains.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Instant;

/// What a grant was used for. It is what the heads said until now: what a proxy has not reported yet is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantUses {
    /// The uses, those with the most records first.
    pub uses: Vec<Use>,
    /// Records of the grant that are in none of `uses`: of proxies whose filter is too old to say, and of more kinds than are
    /// kept apart.
    #[schema(minimum = 0)]
    pub other_records: i64,
}

/// What one grant was used for: `GET /v1/grants/{jti}/uses`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsesOfGrant {
    /// The grant.
    pub grant: String,
    /// The uses, those with the most records first: at most 1000.
    pub uses: Vec<Use>,
    /// Records of the grant that are in none of `uses`.
    #[schema(minimum = 0)]
    pub other_records: i64,
}

/// One kind of use.
pub type Use = breakglass_types::uses::Use<i64>;

/// What the grants of one scope were used for: `GET /v1/scopes/uses`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopeUses {
    /// The scope.
    pub scope: String,
    /// Grants whose time was over then or later, by when it was to be over;
    pub since: Instant,
    /// and until then: now.
    pub until: Instant,
    /// How many such grants of the scope there are whose holder took a token: at most 1000.
    #[schema(minimum = 0)]
    pub grants: i64,
    /// There may be more of them, which are not looked at.
    pub more: bool,
    /// Of how many of them a proxy reported a record.
    #[schema(minimum = 0)]
    pub used: i64,
    /// What these were used for, whatever scope decided, those with the most records first: at most 1000.
    pub uses: Vec<Use>,
    /// Records of these grants that are in none of `uses`: what they were of is not known.
    #[schema(minimum = 0)]
    pub other_records: i64,
    /// What proxies reported before is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub removed_before: Option<Instant>,
    /// The rules of the scope in their canonical form (docs/scope-digests.md), where the service has a definition of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Object)]
    pub rules: Option<Value>,
}

/// Of which scope, and since when: `GET /v1/scopes/uses`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ScopeUsesQuery {
    /// The scope.
    #[param(example = "orders:read")]
    pub scope: String,
    /// Grants whose time was over then or later.
    #[param(format = DateTime)]
    pub since: String,
}
