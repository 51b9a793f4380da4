//! The proxies: which are silent, and which lack a signing key.

use std::collections::BTreeSet;

use breakglass_server::clock::{Clock as _, SystemClock};
use breakglass_server::doctor::{Finding, Report};
use breakglass_server::issuer::KeyDirectory;
use breakglass_server::reload::ConfigFile;

use crate::answer::{Enforcement, Node, Proxies, one_line};

/// How much longer than its refresh a proxy may take to have a new key, in seconds.
const FETCH_S: i64 = 60;

pub(super) fn look(answer: &Proxies, file: Option<&ConfigFile>, report: &mut Report) {
    if !answer.complete {
        report.not_checked(
            "silent proxies",
            "the service started less than a minute ago, and does not know all of them yet: ask again in a minute",
        );
    }
    report.checked(answer.proxies.is_empty().then(|| {
        Finding::new(
            "no proxy reads the feed of revocations: no entrance learns that a grant was revoked",
            "load the filter with `revocation.feed`, with this service as its cluster, into an Envoy (docs/install/)",
        )
    }));
    let settled = file.map(settled_keys);
    for node in &answer.proxies {
        report.checked(silent(node));
        report.checked(lacks(node, settled.as_ref()));
        if node.enforcement.as_ref().and_then(|word| word.known()) == Some(Enforcement::Shadow) {
            report.note(format!("{} refuses nothing: `enforcement: shadow`", name(node)));
        }
    }
    let Some(file) = file.filter(|_| answer.complete) else { return };
    for proxy in &file.config.proxies {
        let is_there = answer.proxies.iter().any(|node| node.proxy == proxy.name);
        report.checked((!is_there && !answer.proxies.is_empty()).then(|| {
            let since = answer.since.as_ref().map_or("its start", |since| since.text());
            Finding::new(
                format!(
                    "proxies (`{}`): no Envoy has polled with its credential since {since}",
                    proxy.name
                ),
                format!(
                    "see in its Envoy's log why it does not reach this service, or take the entry `{}` out of the \
                     configuration",
                    proxy.name
                ),
            )
        }));
    }
}

fn name(node: &Node) -> String {
    format!("the proxy {} ({})", one_line(&node.node), one_line(&node.proxy))
}

fn silent(node: &Node) -> Option<Finding> {
    if node.alive != Some(false) {
        return None;
    }
    let refuses = node
        .refuses_new_since
        .as_ref()
        .map(|since| format!(", and refuses new requests since {}", since.text()));
    let id = node.id.as_deref().map_or("ID", |id| id);
    Some(Finding::new(
        format!(
            "{} is silent for {} s{}",
            name(node),
            node.stale_for_s,
            refuses.unwrap_or_default()
        ),
        format!(
            "see in its Envoy's log why it does not reach the service; if it is gone for good: `breakglass proxies \
             forget {} --reason '..'`",
            one_line(id)
        ),
    ))
}

/// The keys that were there before now, each with when it was made.
fn settled_keys(file: &ConfigFile) -> BTreeSet<(String, i64)> {
    let (default, rings) = file.config.key_rings();
    let rings = std::iter::once(&default).chain(&rings);
    let names = rings.flat_map(|ring| KeyDirectory::from(ring).names().unwrap_or_default());
    names.map(|name| (name.kid, name.made_at)).collect()
}

/// The keys that it lacks and should have fetched by now.
fn lacks(node: &Node, keys: Option<&BTreeSet<(String, i64)>>) -> Option<Finding> {
    let now = SystemClock.now().ok()?.seconds();
    let patience = node.keys_refresh_s.unwrap_or_default().saturating_add(FETCH_S);
    let is_new = |kid: &String| {
        let made = keys.into_iter().flatten().find(|(known, _)| known == kid);
        made.is_some_and(|(_, made_at)| now < made_at.saturating_add(patience))
    };
    let missing: Vec<&str> =
        node.missing_keys.iter().flatten().filter(|kid| !is_new(kid)).map(String::as_str).collect();
    (!missing.is_empty()).then(|| {
        Finding::new(
            format!(
                "{} does not have the signing key {}, and refuses tokens of it until it fetches it",
                name(node),
                one_line(&missing.join(", "))
            ),
            "see in its Envoy's log why it does not fetch `/.well-known/jwks.json`: the cluster of `jwks.remote`, its \
             TLS, its authority; for an audience with keys of its own `?audience=NAME` in its path. A credential is \
             expected to have the keys of all its `audiences`",
        )
    })
}
