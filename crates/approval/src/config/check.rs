//! What is wrong between entries: names and credentials given twice, scopes nobody can approve.

use std::collections::BTreeMap;

use super::reader::Errors;
use super::{Config, Digest, Person, Scope};

/// Names and credentials must be unique: two people with one token would be one person who can
/// approve their own request.
pub(super) fn unique(config: &Config, errors: &mut Errors) {
    let mut names = BTreeMap::new();
    let mut tokens: BTreeMap<Digest, String> = BTreeMap::new();
    let people = config.people.iter().map(|person| (&person.name, person.token));
    let proxies = config.proxies.iter().map(|proxy| (&proxy.name, proxy.token));
    let paths = (0..config.people.len())
        .map(|index| format!("people[{index}]"))
        .chain((0..config.proxies.len()).map(|index| format!("proxies[{index}]")));
    for ((name, token), path) in people.chain(proxies).zip(paths) {
        if let Some(first) = names.insert(name.clone(), path.clone()) {
            errors.add(format!("{path}.name"), format!("`{name}` is also the name of {first}"));
        }
        if let Some(first) = tokens.insert(token, path.clone()) {
            errors.add(format!("{path}.token_sha256"), format!("also the credential of {first}"));
        }
    }
    let mut scopes = BTreeMap::new();
    for (index, scope) in config.scopes.iter().enumerate() {
        if let Some(first) = scopes.insert(&scope.name, index) {
            let detail = format!("`{}` is also the name of scopes[{first}]", scope.name);
            errors.add(format!("scopes[{index}].name"), detail);
        }
    }
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
