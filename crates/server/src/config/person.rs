//! A person, known by an API token of the configuration or by an account at an identity provider.

use breakglass_config_schema::{
    Object, Reader as _, boolean, list, object, optional, or, or_none, parsed, required,
};

use super::read::{Digest, digest, distinct, name};
use super::sink_texts::person_address;

object! {
    /// A person, known by an API token.
    #[derive(Debug)]
    pub(super) struct PersonEntry {
        /// The `sub` of this person's tokens.
        pub name: String = required(parsed("name", name)),
        /// The digest of the API token (`breakglass keygen api-token`).
        pub token_sha256: Digest = required(parsed("SHA-256 in hexadecimal digits", digest)),
        /// What `requesters`, `approvers`, `auditors` and `responders` refer to; also in the token.
        pub groups: Vec<String> = or_none(list(parsed("group", name)).and_then(distinct)),
        /// The token's `roles`, for the filter's `require.roles`.
        pub roles: Vec<String> = or_none(list(parsed("role", name)).and_then(distinct)),
        /// Whether this person may approve with the API token although `identity_providers` are configured: then people
        /// approve by their sign-in. Without providers every person may, as the scopes say.
        pub may_approve_by_token: bool = or(false, boolean()),
        /// The mail address of this person, such as `carol@corp.example`: a sink with
        /// [`to_people`](notifications.md#who-is-told) writes there.
        pub mail: Option<String> = optional("none", parsed("address", person_address)),
    }
}

impl Object for PersonEntry {}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The `sub` of this person's tokens.
    pub name: String,
    /// By what the person is known.
    pub credential: Credential,
    /// The groups; of an account those that the provider named last, as they are called here, which the [`Directory`](crate::access::Directory) may not
    /// count any more.
    pub groups: Vec<String>,
    /// The token's `roles`.
    pub roles: Vec<String>,
    /// Whether the person may approve with an API token where people sign in at identity providers.
    pub may_approve_by_token: bool,
    /// The mail address that the configuration says; of an account nothing, because the provider says it.
    pub mail: Option<String>,
}

/// By what a person is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The API token with this SHA-256.
    ApiToken(Digest),
    /// A sign-in at an identity provider, by any session.
    Account {
        /// The provider's issuer.
        issuer: String,
        /// The person there.
        subject: String,
    },
}

impl Credential {
    /// The digest of the API token.
    #[must_use]
    pub fn api_token(&self) -> Option<&Digest> {
        match self {
            Credential::ApiToken(digest) => Some(digest),
            Credential::Account { .. } => None,
        }
    }
}

impl Person {
    /// Whether this person is in one of `groups`.
    #[must_use]
    pub fn is_in_any(&self, groups: &[String]) -> bool {
        groups.iter().any(|group| self.groups.contains(group))
    }
}

impl From<PersonEntry> for Person {
    fn from(entry: PersonEntry) -> Person {
        let PersonEntry { name, token_sha256, groups, roles, may_approve_by_token, mail } = entry;
        let credential = Credential::ApiToken(token_sha256);
        Person { name, credential, groups, roles, may_approve_by_token, mail }
    }
}
