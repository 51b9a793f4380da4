//! What is kept of a sign-in at a provider, so that it can be refreshed and ended.

use serde::{Deserialize, Serialize};

/// A session at a provider. It holds secrets: an attacker who reads the refresh token can use it with the client's secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct ProviderSession {
    /// The name of the entry.
    pub provider: String,
    /// The `iss` of the ID token.
    pub iss: String,
    /// The `sub` of the ID token: logout tokens name it.
    pub sub: String,
    /// The `sid` of the ID token: logout tokens name it.
    pub sid: Option<String>,
    pub(super) nonce: String,
    pub(super) id_token: String,
    pub(super) refresh_token: Option<String>,
}

impl ProviderSession {
    /// Whether it can be refreshed.
    #[must_use]
    pub fn can_be_refreshed(&self) -> bool {
        self.refresh_token.is_some()
    }
}

impl std::fmt::Debug for ProviderSession {
    /// Without the tokens.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ProviderSession")
            .field("provider", &self.provider)
            .field("iss", &self.iss)
            .field("sub", &self.sub)
            .finish_non_exhaustive()
    }
}
