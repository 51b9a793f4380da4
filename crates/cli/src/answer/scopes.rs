//! `GET /v1/scopes`.

use serde::Deserialize;

use super::{Body, nullable};

/// The scopes that the service knows, as they are for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Scopes {
    /// All of them.
    pub scopes: Vec<Scope>,
}

/// A scope.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// What it is for, if the configuration says so.
    #[serde(deserialize_with = "nullable")]
    pub summary: Option<String>,
    /// The environment.
    pub audience: String,
    /// For how long at most, such as `1h`.
    pub max_duration: String,
    /// Whether the caller may ask for it.
    pub may_request: bool,
    /// Whether the caller may approve requests of others for it.
    pub may_approve: bool,
    /// Who could approve it for the caller.
    pub approvers: Vec<String>,
}

impl Body for Scopes {
    const NAME: &'static str = "a list of scopes";
}
