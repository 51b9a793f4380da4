//! What is wrong between entries: names and credentials given twice, and what the other checks find.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_config_schema::{Object, Place};

use crate::duration;
use crate::store::SERVICE;
use breakglass_audit::folded::Folded;

use super::{
    Config, Digest, Proxy, approval_check, channel_check, emergency_check, group_check,
    incident_need_check, key_rings, on_call_check, rotation_check, sign_in_check, transport,
};

impl Object for Config {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        // All of them, before the first that failed counts.
        let all = [
            evidence(self, place),
            known(self, place),
            unique(self, place),
            approval_check::check(self, place),
            directory_ages(self, place),
            key_rings::check(self, place),
            transport::check(self, place),
            sign_in_check::check(self, place),
            emergency_check::check(self, place),
            rotation_check::check(self, place),
            incident_need_check::check(self, place),
            on_call_check::check(self, place),
        ];
        all.into_iter().collect()
    }
}

impl Config {
    /// What is valid and yet will not work, in words for the operator.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        warnings(self)
    }
}

/// Evidence in the main database would hold up revocations.
fn evidence(config: &Config, place: &Place<'_>) -> Option<()> {
    let path = config.evidence_path();
    if path != config.database && path != config.outbox_path() {
        return Some(());
    }
    place
        .field("evidence_database")
        .error("expected another file than `database`, and than the one of deliveries beside it")
}

/// Without a person the service would do nothing.
fn known(config: &Config, place: &Place<'_>) -> Option<()> {
    if !config.people.is_empty() || !config.identity_providers.is_empty() {
        return Some(());
    }
    place.field("people").error("is required without `identity_providers`")
}

/// An answer that counts while the provider answers counts while it does not.
fn directory_ages(config: &Config, place: &Place<'_>) -> Option<()> {
    if config.outage_directory_age.is_none_or(|age| age >= config.max_directory_age) {
        return Some(());
    }
    let least = duration::format(config.max_directory_age);
    place
        .field("outage_directory_age")
        .error(format!("expected at least `max_directory_age`, which is {least}"))
}

/// Names and credentials must be unique: two people with one token would be one person who can
/// approve their own request.
fn unique(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut clean = Some(());
    let mut names: Vec<(&str, Folded, String)> = Vec::new();
    let mut tokens: BTreeMap<Digest, String> = BTreeMap::new();
    let people =
        config.people.iter().map(|person| (&person.name, person.credential.api_token().copied()));
    let proxies = config.proxies.iter().map(|proxy| (&proxy.name, proxy.token_sha256));
    let places = (0..config.people.len())
        .map(|index| ("people", index))
        .chain((0..config.proxies.len()).map(|index| ("proxies", index)));
    for ((name, token), (list, index)) in people.chain(proxies).zip(places) {
        let (place, entry) = (place.field(list).item(index), format!("{list}[{index}]"));
        let folded = Folded::new(name);
        if let Some(detail) = taken(&names, name, &folded) {
            clean = place.field("name").error(detail);
        }
        names.push((name, folded, entry.clone()));
        if let Some(first) = token.and_then(|token| tokens.insert(token, entry)) {
            clean = place.field("token_sha256").error(format!("also the credential of {first}"));
        }
    }
    let mut certificates: BTreeMap<String, usize> = BTreeMap::new();
    for (index, proxy) in config.proxies.iter().enumerate() {
        let digests =
            proxy.certificate_sha256.iter().map(|digest| breakglass_types::hex::lower(digest));
        let digests = digests.map(|digest| ("certificate_sha256", digest));
        let names = proxy.certificate_san.iter().map(|name| ("certificate_san", name.clone()));
        for (field, value) in names.chain(digests) {
            if let Some(first) = certificates.insert(value, index) {
                let place = place.field("proxies").item(index).field(field);
                clean = place.error(format!("also a certificate of proxies[{first}]"));
            }
        }
    }
    let scopes = config.scopes.iter().map(|scope| scope.name.as_str());
    let rules = config.approval_rules.iter().map(|rule| rule.name.as_str());
    let lists = [names_once("scopes", scopes, place), names_once("approval_rules", rules, place)];
    lists.into_iter().fold(clean, Option::and)
}

/// No name of this list is that of an earlier entry, or looks like it.
fn names_once<'a>(
    list: &str,
    names: impl Iterator<Item = &'a str>,
    place: &Place<'_>,
) -> Option<()> {
    let mut clean = Some(());
    let mut earlier: Vec<(&str, Folded, String)> = Vec::new();
    for (index, name) in names.enumerate() {
        let folded = Folded::new(name);
        if let Some(detail) = taken(&earlier, name, &folded) {
            clean = place.field(list).item(index).field("name").error(detail);
        }
        earlier.push((name, folded, format!("{list}[{index}]")));
    }
    clean
}

/// Which earlier entry has this name, or one that a person would take for it.
fn taken(earlier: &[(&str, Folded, String)], name: &str, folded: &Folded) -> Option<String> {
    let (other, _, entry) = earlier.iter().find(|(_, other, _)| other.same(folded))?;
    if *other == name {
        return Some(format!("`{name}` is also the name of {entry}"));
    }
    Some(format!("`{name}` looks like `{other}`, the name in {entry}.name: rename one of them"))
}

fn warnings(config: &Config) -> Vec<String> {
    let proxies = config.proxies.iter().enumerate().flat_map(|(index, proxy)| {
        let place = format!("proxies[{index}] (`{}`)", proxy.name);
        audience_warnings(config, proxy).into_iter().map(move |detail| format!("{place}: {detail}"))
    });
    let service = Folded::new(SERVICE);
    let people = config.people.iter().enumerate().filter(|(_, person)| service.is(&person.name));
    let people = people.map(|(index, person)| {
        format!(
            "people[{index}] (`{}`): the trail calls what the service does by itself `{SERVICE}`: \
             give this person another name",
            person.name
        )
    });
    let responders = unused(config, config.responders.audiences());
    let responders = responders.map(|detail| format!("responders: {detail}"));
    let transport = transport::warnings(config);
    transport
        .chain(approval_check::warnings(config))
        .chain(proxies)
        .chain(people)
        .chain(responders)
        .chain(sign_in_check::warnings(config))
        .chain(emergency_check::warnings(config))
        .chain(group_check::warnings(config))
        .chain(channel_check::warnings(config))
        .chain(rotation_check::warnings(config))
        .chain(incident_need_check::warnings(config))
        .chain(on_call_check::warnings(config))
        .chain(look_alikes(config))
        .collect()
}

/// Of which audiences a proxy may introspect tokens, where that is more or less than it can use.
fn audience_warnings(config: &Config, proxy: &Proxy) -> Vec<String> {
    let Some(audiences) = &proxy.audiences else {
        return vec![
            "it may introspect tokens of every audience: list those that it serves as `audiences`"
                .to_owned(),
        ];
    };
    unused(config, audiences.iter()).map(|detail| format!("audiences: {detail}")).collect()
}

/// Each of these audiences that no scope is for, in words.
fn unused<'a>(
    config: &'a Config,
    audiences: impl Iterator<Item = &'a String>,
) -> impl Iterator<Item = String> {
    audiences
        .filter(|audience| !config.has_audience(audience))
        .map(|audience| format!("no scope is for `{audience}`"))
}

/// Groups and audiences that a person would take for one another. Each of them allows what it says and nothing
/// more, so it is no error; and it is hardly what was meant.
fn look_alikes(config: &Config) -> Vec<String> {
    let of_people = config.people.iter().flat_map(|person| &person.groups);
    let of_proxies = config.proxies.iter().filter_map(|proxy| proxy.audiences.as_ref()).flatten();
    let audiences = config.scopes.iter().map(|scope| &scope.audience).chain(of_proxies);
    let audiences = audiences.chain(config.responders.audiences());
    let groups: BTreeSet<&String> = of_people.chain(group_check::named(config)).collect();
    let audiences: BTreeSet<&String> = audiences.collect();
    let pairs = alike(&groups).into_iter().map(|pair| ("groups", pair));
    pairs
        .chain(alike(&audiences).into_iter().map(|pair| ("audiences", pair)))
        .map(|(kind, [one, other])| {
            format!("the {kind} `{one}` and `{other}` look alike, and are compared byte for byte")
        })
        .collect()
}

/// Each name with the first one before it that looks like it.
fn alike<'a>(names: &BTreeSet<&'a String>) -> Vec<[&'a str; 2]> {
    let mut earlier: Vec<(&str, Folded)> = Vec::new();
    let mut found = Vec::new();
    for name in names {
        let folded = Folded::new(name);
        if let Some((other, _)) = earlier.iter().find(|(_, other)| other.same(&folded)) {
            found.push([*other, name.as_str()]);
        }
        earlier.push((name, folded));
    }
    found
}
