//! Rules 1 and 3: the rules that refuse, by every reading of a request.

use crate::config::{Config, Unauthenticated};
use crate::policy::{Readings, RequestPaths, Rule, Sighting};
use crate::request::Facts;

/// Rule 1: whether a request without a token is refused.
pub(crate) fn needs_token(config: &Config, facts: &Facts) -> bool {
    config.unauthenticated == Unauthenticated::Deny || protected_by(config, facts).is_some()
}

/// The rule of `protected` that covers the request, in a few words: looked for once.
pub(super) fn protected_by<'a>(config: &Config, facts: &'a Facts) -> Option<&'a str> {
    let looked_for = || covering_rule(&config.protected, facts).map(Rule::summary);
    facts.protected_by.get_or_init(looked_for).as_deref()
}

/// The rule that covers the request in one of its meanings.
pub(super) fn covering_rule<'a>(rules: &'a [Rule], facts: &Facts) -> Option<&'a Rule> {
    // Most requests meet no list at all, or rules that are not about them whatever their path: what that may
    // mean is not looked for. A reference can name another host as well.
    if rules.is_empty() {
        return None;
    }
    if !facts.second.has_references() {
        covering_one(rules, facts, &RequestPaths::alone(Readings::Anything))?;
    }
    covering_one(rules, facts, &facts.second.paths(&facts.path))
}

/// The same, where it is known what the request's paths may mean.
pub(super) fn covering_one<'a>(
    rules: &'a [Rule],
    facts: &Facts,
    paths: &RequestPaths<'_>,
) -> Option<&'a Rule> {
    // A tunnel (RFC 9110 section 9.3.6) carries whatever requests the client likes.
    if facts.method == b"CONNECT" {
        return rules.first();
    }
    let mut methods = vec![facts.method.as_slice()];
    // Of a list of methods some take the first.
    let overrides = facts.overrides.iter().flat_map(|value| value.split(|byte| *byte == b','));
    methods.extend(overrides.map(<[u8]>::trim_ascii));
    let mut hosts = vec![facts.host.as_ref()];
    hosts.extend(facts.second.hosts());
    let of_buckets = paths.bucket_hosts(facts.host.as_ref());
    hosts.extend(of_buckets.iter().map(Option::as_ref));
    let upgrades = &facts.upgrades;
    let sighting = Sighting { hosts: &hosts, methods: &methods, paths: &paths.named(), upgrades };
    rules.iter().find(|rule| rule.covers(&sighting))
}
