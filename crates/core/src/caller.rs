//! What a filter says of itself to the approval service, in headers beside its polls: which process asks, which
//! version it is, by which configuration it decides, and for how long it believes what it knows.
//!
//! Headers, because an older service ignores those that it does not know, and refuses a query that it does not
//! know. Relies on INVARIANT (said-with-polls): a breakglass filter in front of the service leaves them.

use std::time::Duration;

use breakglass_types::names::said;

use crate::config::{Config, ConfigDigest, Enforcement, OnUnavailable};
use crate::instant::format_duration;
use crate::sharing::ProcessId;
use crate::token::KeyRing;

/// Who a worker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The proxy's name: Envoy's node id.
    pub node: Option<String>,
    /// What tells this worker from every other one, for ever: random.
    pub id: [u8; 16],
    /// The filter's version.
    pub version: &'static str,
    /// What names its configuration.
    pub digest: Option<ConfigDigest>,
}

/// Who asks, and how it is set up.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    identity: &'a Identity,
    process: Option<ProcessId>,
    config: &'a Config,
    keys: &'a KeyRing,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(
        identity: &'a Identity,
        process: Option<ProcessId>,
        config: &'a Config,
        keys: &'a KeyRing,
    ) -> Caller<'a> {
        Caller { identity, process, config, keys }
    }

    /// Which process this is; nothing where its VMs cannot agree on an id.
    pub(crate) fn name(&self) -> Option<(&'static str, String)> {
        Some((said::PROCESS, self.process?.text()))
    }

    /// All that a poll says.
    pub(crate) fn describe(&self) -> Vec<(&'static str, String)> {
        let on_unavailable = match allows_unavailable(self.config) {
            true => OnUnavailable::Allow,
            false => OnUnavailable::Deny,
        };
        let mut headers = vec![
            (said::VERSION, self.identity.version.to_owned()),
            (said::MAX_STALENESS, format_duration(self.config.revocation.max_staleness)),
            (said::CACHE, format_duration(introspection_counts(self.config))),
            (said::CLOCK_SKEW, format_duration(self.config.clock_skew)),
            (said::ON_UNAVAILABLE, on_unavailable.word().to_owned()),
        ];
        headers.extend(unavailable_for(self.config));
        headers.extend(
            (self.config.enforcement == Enforcement::Shadow)
                .then(|| (said::ENFORCEMENT, said::SHADOW.to_owned())),
        );
        headers.extend(self.name());
        let digest = self.identity.digest.map(|digest| (said::CONFIG, digest.text()));
        headers.extend(digest);
        headers.extend(self.held_keys());
        headers
    }

    /// The keys that are fetched from the service's cluster: it publishes them without asking who reads, and cannot see who
    /// has a new one. Where a `kid` cannot be said, or there are too many, none is.
    fn held_keys(&self) -> Vec<(&'static str, String)> {
        let feed = self.config.revocation.feed.as_ref();
        let Some(held) = feed.and_then(|feed| self.keys.held_of(&feed.endpoint.cluster)) else {
            return Vec::new();
        };
        let mut headers = vec![(said::KEYS_REFRESH, format_duration(held.refresh))];
        let can_be_said = held.kids.len() <= said::MAX_KEYS_SAID
            && held.kids.iter().all(|kid| said::is_kid_said(kid));
        if can_be_said {
            let kids: Vec<&str> = held.kids.into_iter().collect();
            headers.push((said::KEYS, kids.join(",")));
        }
        headers
    }
}

/// Whether any request may pass whose grant cannot be verified. In shadow mode no grant is refused.
fn allows_unavailable(config: &Config) -> bool {
    let of_scopes = config.scopes.iter().filter_map(|scope| scope.on_unavailable);
    let mut all = of_scopes.chain([config.revocation.on_unavailable]);
    all.any(|one| one == OnUnavailable::Allow) || config.enforcement == Enforcement::Shadow
}

/// How long after the last fresh knowledge `allow` counts; nothing where nothing is allowed, or where it may have no
/// end: without a credential a VM of this process that comes later does not hear when that was.
fn unavailable_for(config: &Config) -> Option<(&'static str, String)> {
    // In shadow mode nothing is refused, whatever is known.
    let counts = allows_unavailable(config)
        && config.enforcement != Enforcement::Shadow
        && config.revocation.credential.is_some();
    let value = format_duration(config.revocation.unavailable_for);
    counts.then_some((said::UNAVAILABLE_FOR, value))
}

/// For how long after the service has given it an answer about a token may count: it takes at most the timeout
/// to arrive.
fn introspection_counts(config: &Config) -> Duration {
    let introspection = config.revocation.introspection.as_ref();
    introspection.map_or(Duration::ZERO, |asking| asking.cache.saturating_add(asking.timeout))
}
