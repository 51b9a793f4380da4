//! People and proxies in a configuration, and what becomes of them.

use breakglass_server::auth::identity;
use breakglass_server::config::Config;

use crate::service::{Service, config, token_of};

pub fn hex(name: &str) -> String {
    let digest = identity::digest(&token_of(name));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The person with this name has the API token of `other` from now on.
pub fn replace_credential(service: &Service, name: &str, other: &str) {
    let text = config(&service.directory).replace(&hex(name), &hex(other));
    service.app.reconfigure(Config::parse(&text).unwrap());
}

/// The configuration without this person.
pub fn without(text: &str, name: &str) -> String {
    let entries: Vec<&str> = text.split("[[").collect();
    let kept = entries.iter().filter(|entry| !entry.contains(&format!("name = \"{name}\"")));
    kept.copied().collect::<Vec<_>>().join("[[")
}

/// A proxy for the configuration.
pub fn proxy(name: &str, credential: &str) -> String {
    let digest = identity::digest(credential);
    let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[proxies]]\nname = \"{name}\"\ntoken_sha256 = \"{sha256}\"\n")
}
