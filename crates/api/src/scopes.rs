//! `GET /v1/scopes`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::nullable;
use crate::opens::ScopeOpens;

/// The scopes that the service knows, as they are for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scopes {
    /// All of them that the caller may see; with `for`, those of which a definition covers that.
    pub scopes: Vec<Scope>,
    /// What they are for, where that was asked.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub for_request: Option<ForRequest>,
}

/// A request that scopes are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForRequest {
    /// Its method.
    pub method: String,
    /// Its path, without a query.
    pub path: String,
    /// Its host; without one, whatever host a scope is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub host: Option<String>,
}

/// Which scopes: `GET /v1/scopes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ScopesQuery {
    /// A method and a path: only scopes of which a definition covers such a request.
    #[serde(rename = "for")]
    #[param(rename = "for", example = "POST /v1/orders")]
    pub for_request: Option<String>,
    /// The request's host, with `for`.
    pub host: Option<String>,
}

/// A scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// What its holder may do, as a verb phrase.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub summary: Option<String>,
    /// The environment.
    pub audience: String,
    /// For how long at most.
    #[schema(examples("30m"))]
    pub max_duration: String,
    /// The caller may ask for it.
    pub may_request: bool,
    /// The caller may approve it for another person.
    pub may_approve: bool,
    /// Who could approve it for the caller.
    pub approvers: Vec<String>,
    /// What it opens, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rules: Option<ScopeOpens>,
}
