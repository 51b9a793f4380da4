//! What is wrong between entries.

use breakglass_config_schema::{Place, Reader, list, object};

use super::IdentityProvider;

/// Reads all entries: no two have the same name, issuer or private key, and at most one may approve.
#[must_use]
pub fn identity_providers() -> impl Reader<Value = Vec<IdentityProvider>> {
    list(object()).and_then(check)
}

/// The issuer without a slash at its end: with and without it is hardly ever another provider.
fn bare(entry: &IdentityProvider) -> &str {
    entry.issuer.trim_end_matches('/')
}

fn check(entries: Vec<IdentityProvider>, place: &Place<'_>) -> Option<Vec<IdentityProvider>> {
    let mut clean = Some(());
    for (index, entry) in entries.iter().enumerate() {
        let here = place.item(index);
        let earlier = |is_same: &dyn Fn(&IdentityProvider) -> bool| {
            entries.iter().take(index).position(is_same)
        };
        if let Some(first) = earlier(&|other| other.name == entry.name) {
            clean = here
                .field("name")
                .error(format!("`{}` is also the name of identity_providers[{first}]", entry.name));
        }
        if let Some(first) = earlier(&|other| bare(other) == bare(entry)) {
            clean = here.field("issuer").error(format!(
                "also the issuer of identity_providers[{first}]: a person there would be two people here"
            ));
        }
        let key = entry.client_authentication.private_key_file();
        let shares_key = |other: &IdentityProvider| {
            key.is_some() && other.client_authentication.private_key_file() == key
        };
        if let Some(first) = earlier(&shares_key) {
            clean = here.field("client_authentication").field("private_key_file").error(format!(
                "also the key of identity_providers[{first}]: one of the two providers could use an assertion at the \
                 other one"
            ));
        }
        if let Some(first) = earlier(&|other| other.may_approve && entry.may_approve) {
            clean = here.field("may_approve").error(format!(
                "identity_providers[{first}] has it too: one human with an account at both could approve their own request"
            ));
        }
    }
    clean.map(|()| entries)
}
