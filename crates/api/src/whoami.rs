//! `GET /v1/whoami`: the person who asks, as the service knows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::session::Session;
use crate::words::words;
use crate::{Instant, Word, nullable};

words! {
    /// What is known of a person's groups.
    GroupsKnown {
        /// The person is in these.
        Known = "known",
        /// The person is in no group.
        None = "none",
        /// The identity provider did not say, or too long ago.
        Unknown = "unknown",
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// The name: the requester of requests, and the `sub` of tokens.
    pub name: String,
    /// A name to show, as the identity provider says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub shown_name: Option<String>,
    /// A mail address to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mail: Option<String>,
    /// The identity provider, by its name in the configuration; none for a person who is known by an API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider: Option<String>,
    /// The groups.
    pub groups: WhoAmIGroups,
    /// Whether the person may be an approver; for which scopes, `GET /v1/scopes` says.
    pub may_approve: bool,
    /// The session; none for an API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session: Option<Session>,
    /// How the person signed in, where a level was asked for and reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub factor: Option<WhoAmIFactor>,
    /// How the person is told of what concerns them; services before this member do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = true, nullable = false)]
    pub notify: Option<Notify>,
}

/// How a person is told of requests that wait for them, and of what becomes of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notify {
    /// Whether the person wants mail. It is sent where a sink of the service writes to people, and an address is known.
    pub mail: bool,
    /// Where it is sent: the address of the service's configuration, or the one that the identity provider says it has
    /// verified.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub address: Option<String>,
}

/// How the caller wants to be told: `PUT /v1/whoami/notify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetNotify {
    /// Whether by mail. Without it every person whose address is known gets mail.
    pub mail: bool,
}

/// The groups of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmIGroups {
    /// What is known.
    #[schema(value_type = GroupsKnown)]
    pub state: Word<GroupsKnown>,
    /// Those that were said last, also where that was too long ago.
    pub names: Vec<String>,
    /// When the identity provider said so, or that it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub since: Option<Instant>,
    /// Why they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// How a person signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmIFactor {
    /// The level, by its name in the configuration.
    pub level: String,
    /// `acr` of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acr: Option<String>,
    /// `amr` of the provider (RFC 8176).
    pub amr: Vec<String>,
    /// When the person authenticated.
    pub auth_time: Instant,
}
