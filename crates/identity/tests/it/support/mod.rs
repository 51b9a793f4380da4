//! What the tests share: entries, examples, and an issuer that signs.

mod fake;
mod issuer;

use std::fs;
use std::path::PathBuf;

use breakglass_config_schema::{ConfigError, Reading};
use breakglass_identity::{IdentityProvider, identity_providers};
use breakglass_types::instant::Instant;
use breakglass_types::json::Json;
use serde_json::Value;

pub(crate) use fake::{FakeProvider, Request as FakeRequest, random};
pub(crate) use issuer::TestIssuer;

/// When the examples of Keycloak were made.
pub(crate) fn at(seconds: u64) -> Instant {
    Instant::from_seconds(seconds)
}

/// An entry for Keycloak as the examples have it, with `more` fields.
pub(crate) fn keycloak(more: &str) -> IdentityProvider {
    provider("http://127.0.0.1:18080/realms/corp", "breakglass", more)
}

/// An entry with what every one needs, and `more` fields.
pub(crate) fn provider(issuer: &str, client_id: &str, more: &str) -> IdentityProvider {
    let text = format!(
        "[[identity_providers]]\nname = 'corp'\nissuer = '{issuer}'\nclient_id = '{client_id}'\n\
         client_authentication.secret_file = '/run/secrets/corp'\n{more}"
    );
    read(&text).unwrap_or_else(|errors| panic!("{errors:?}")).remove(0)
}

/// Reads `[[identity_providers]]` from TOML.
pub(crate) fn read(text: &str) -> Result<Vec<IdentityProvider>, Vec<ConfigError>> {
    let table: Json = toml::from_str(text).unwrap();
    let entries = table.member("identity_providers").unwrap();
    Reading::new().read(&identity_providers(), entries)
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples"))
}

/// An example, as it is.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// An example that is JSON.
pub(crate) fn example(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// The body of an example with status, headers and body.
pub(crate) fn body(name: &str) -> Vec<u8> {
    serde_json::to_vec(&example(name)["body"]).unwrap()
}
