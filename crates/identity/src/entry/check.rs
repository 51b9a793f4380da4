//! What is wrong between entries.

use breakglass_config_schema::{Place, Reader, list, object};

use super::IdentityProvider;
use breakglass_audit::folded::Folded;

/// Reads all entries: no two have the same name, issuer or private key, at most one may approve, and no two can say
/// the same group.
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
        } else if let Some(first) = earlier(&|other| Folded::new(&other.name).is(&entry.name)) {
            clean = here.field("name").error(format!(
                "looks like the name of identity_providers[{first}]: people and groups of the two could not be told apart"
            ));
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
    let groups = groups(&entries, place);
    clean.and(groups).map(|()| entries)
}

/// Of several providers one at most has groups that are called as it says them: where people of one may approve, that one.
/// Another provider could otherwise say a group of the first, and its people would have what that group has.
fn groups(entries: &[IdentityProvider], place: &Place<'_>) -> Option<()> {
    let approving = entries.iter().position(|entry| entry.may_approve);
    let as_said = approving.or_else(|| entries.iter().position(|entry| !entry.qualify_groups));
    let Some((as_said, first)) = as_said.and_then(|index| Some((index, entries.get(index)?)))
    else {
        return Some(());
    };
    let mut clean = Some(());
    for (index, entry) in entries.iter().enumerate() {
        if index == as_said || entry.qualify_groups {
            continue;
        }
        let (this, other) = (&entry.name, &first.name);
        let why = match first.qualify_groups {
            false => format!(
                "`{other}` (identity_providers[{as_said}]) does not have it either, so that a group of both would count \
                 whichever of the two says it"
            ),
            true => format!(
                "with several identity providers only the groups of `{other}` (identity_providers[{as_said}]), whose people \
                 may approve, can be called as the provider says them"
            ),
        };
        clean = place.item(index).field("qualify_groups").error(format!(
            "expected `true`: {why}; with it a group `sre` of `{this}` is called `{this}:sre` in `requesters` and the other \
             lists"
        ));
    }
    clean
}
