//! What is wrong between entries: names and credentials given twice, scopes nobody can approve.

use std::collections::BTreeMap;

use breakglass_core::schema::Place;

use super::{Config, Digest, Person, Scope};

/// Names and credentials must be unique: two people with one token would be one person who can
/// approve their own request.
pub(super) fn unique(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut clean = Some(());
    let mut names = BTreeMap::new();
    let mut tokens: BTreeMap<Digest, String> = BTreeMap::new();
    let people = config.people.iter().map(|person| (&person.name, person.token_sha256));
    let proxies = config.proxies.iter().map(|proxy| (&proxy.name, proxy.token_sha256));
    let places = (0..config.people.len())
        .map(|index| ("people", index))
        .chain((0..config.proxies.len()).map(|index| ("proxies", index)));
    for ((name, token), (list, index)) in people.chain(proxies).zip(places) {
        let (place, entry) = (place.field(list).item(index), format!("{list}[{index}]"));
        if let Some(first) = names.insert(name, entry.clone()) {
            clean = place.field("name").error(format!("`{name}` is also the name of {first}"));
        }
        if let Some(first) = tokens.insert(token, entry) {
            clean = place.field("token_sha256").error(format!("also the credential of {first}"));
        }
    }
    let mut scopes = BTreeMap::new();
    for (index, scope) in config.scopes.iter().enumerate() {
        if let Some(first) = scopes.insert(&scope.name, index) {
            let detail = format!("`{}` is also the name of scopes[{first}]", scope.name);
            clean = place.field("scopes").item(index).field("name").error(detail);
        }
    }
    clean
}

pub(super) fn warnings(config: &Config) -> Vec<String> {
    config
        .scopes
        .iter()
        .enumerate()
        .filter_map(|(index, scope)| {
            warning(config, scope)
                .map(|detail| format!("scopes[{index}] (`{}`): {detail}", scope.name))
        })
        .collect()
}

fn warning(config: &Config, scope: &Scope) -> Option<String> {
    let requesters: Vec<&Person> = config
        .people
        .iter()
        .map(AsRef::as_ref)
        .filter(|person| scope.may_be_requested_by(person))
        .collect();
    if requesters.is_empty() {
        return Some("nobody is in a group that may ask for it".to_owned());
    }
    let alone: Vec<&str> = requesters
        .into_iter()
        .filter(|requester| {
            !config
                .people
                .iter()
                .any(|person| person.name != requester.name && scope.may_be_approved_by(person))
        })
        .map(|requester| requester.name.as_str())
        .collect();
    if alone.is_empty() {
        return None;
    }
    Some(format!("nobody else could approve it for {}", alone.join(", ")))
}
