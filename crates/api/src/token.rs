//! Tokens: `POST /v1/requests/{id}/token`, and the forms of `POST /oauth2/introspect` and `/oauth2/revoke`.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;
use crate::request::OldGroups;

/// A token, and what it is for. Neither is shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Issued {
    /// The token: a JWS in compact form.
    pub token: String,
    /// The grant that it carries.
    pub grant: String,
    /// Its scopes, with spaces between them.
    pub scope: String,
    /// The environment.
    pub audience: String,
    /// When it ends.
    pub expires_at: Instant,
    /// Where the identity provider is away, and the holder's groups are those of its last answer: with the first token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub old_groups: Vec<OldGroups>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Issued").field("grant", &self.grant).finish_non_exhaustive()
    }
}

/// Which token is to end (RFC 7009 section 2.1).
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RevocationForm {
    /// The token.
    pub token: String,
    /// What kind it is; ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token_type_hint: Option<String>,
    /// `breakglass-cli`, without a credential: for the tokens of a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_id: Option<String>,
}

/// Which token (RFC 7662 section 2.1).
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenForm {
    /// The token.
    pub token: String,
    /// What kind it is; ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token_type_hint: Option<String>,
}
