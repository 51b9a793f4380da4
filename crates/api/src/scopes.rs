//! `GET /v1/scopes`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::nullable;

/// The scopes that the service knows, as they are for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scopes {
    /// All of them that the caller may see.
    pub scopes: Vec<Scope>,
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
}
