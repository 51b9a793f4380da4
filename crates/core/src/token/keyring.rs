//! The keys of all issuers, as they are known now, and when their sources are to be asked again.
//!
//! The last good set of a source stays in use while the source is down; inline keys stand behind
//! it. A source that answers with something that is no key set is down.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::{Config, RemoteJwks};
use crate::instant::Instant;

use super::{KeySet, PublicKey};

/// The shortest time between two fetches from one source: a stream of made-up `kid`s costs the
/// source at most one call per worker in this time.
pub(crate) const MIN_FETCH_INTERVAL: Duration = Duration::from_secs(1);

/// The first wait after a failed fetch; it doubles up to the configured `refresh`.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The keys of all issuers.
#[derive(Debug)]
pub struct KeyRing {
    /// In the order of the configuration's issuers.
    issuers: Vec<IssuerKeys>,
}

#[derive(Debug)]
struct IssuerKeys {
    inline: Option<KeySet>,
    remote: Option<Source>,
}

#[derive(Debug)]
struct Source {
    remote: RemoteJwks,
    keys: Option<KeySet>,
    /// When they were fetched.
    fetched_at: Option<Instant>,
    next_fetch: Option<Instant>,
    last_fetch: Option<Instant>,
    under_way: bool,
    retry: Duration,
}

/// The keys of issuers whose key sets are fetched from one cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeldKeys<'a> {
    /// Their `kid`s, those of inline keys too.
    pub kids: BTreeSet<&'a str>,
    /// How often they are fetched: the longest that is configured.
    pub refresh: Duration,
}

/// Whether there is a key with some `kid`.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// Here it is.
    Found(&'a PublicKey),
    /// No, and there is no source to ask.
    Unknown,
    /// Not here; the issuer's source may know.
    AskSource,
}

impl KeyRing {
    /// The inline keys; every source is due at once.
    #[must_use]
    pub fn new(config: &Config) -> KeyRing {
        let issuers = config
            .issuers
            .iter()
            .map(|issuer| IssuerKeys {
                inline: issuer.jwks.inline.clone(),
                remote: issuer.jwks.remote.clone().map(|remote| Source {
                    remote,
                    keys: None,
                    fetched_at: None,
                    next_fetch: None,
                    last_fetch: None,
                    under_way: false,
                    retry: FIRST_RETRY,
                }),
            })
            .collect();
        KeyRing { issuers }
    }

    /// Looks for the key `kid` of an issuer: among the published keys first, then the inline ones.
    #[must_use]
    pub fn find(&self, issuer: usize, kid: &str) -> Lookup<'_> {
        let Some(issuer) = self.issuers.get(issuer) else { return Lookup::Unknown };
        let published = issuer.remote.as_ref().and_then(|source| source.keys.as_ref());
        match published.and_then(|keys| keys.find(kid)) {
            Some(key) => Lookup::Found(key),
            None => match issuer.inline.as_ref().and_then(|keys| keys.find(kid)) {
                Some(key) => Lookup::Found(key),
                None if issuer.remote.is_some() => Lookup::AskSource,
                None => Lookup::Unknown,
            },
        }
    }

    /// When the source of an issuer may be asked for a `kid` that nobody knows: now, or when the last
    /// fetch is [`MIN_FETCH_INTERVAL`] ago. A request with such a `kid` waits for it, so that a
    /// rotation has no gap, however many made-up ones there are beside it.
    #[must_use]
    pub fn earliest_fetch(&self, issuer: usize, now: Instant) -> Instant {
        let last = self.source(issuer).and_then(|source| source.last_fetch);
        // A clock that was set back must not keep a source from being asked.
        let last = last.filter(|last| *last <= now);
        last.map_or(now, |last| now.max(last.after(MIN_FETCH_INTERVAL)))
    }

    /// The issuers whose sources are due.
    #[must_use]
    pub fn due(&self, now: Instant) -> Vec<usize> {
        let is_due = |source: &Source| {
            // A clock that was set back must not keep a source from being asked.
            let set_back = source.last_fetch.is_some_and(|last| now < last);
            !source.under_way && (set_back || source.next_fetch.is_none_or(|due| now >= due))
        };
        let issuers = self.issuers.iter().enumerate();
        issuers
            .filter(|(_, issuer)| issuer.remote.as_ref().is_some_and(is_due))
            .map(|(index, _)| index)
            .collect()
    }

    /// When a source is due next; `None` while each is being asked, or if there is none.
    pub(crate) fn next_fetch(&self) -> Option<Instant> {
        let sources = self.issuers.iter().filter_map(|issuer| issuer.remote.as_ref());
        let waiting = sources.filter(|source| !source.under_way);
        waiting.map(|source| source.next_fetch.unwrap_or(Instant::from_millis(0))).min()
    }

    /// When the oldest of the published key sets was fetched: the epoch where one never was. `None` if no issuer has a
    /// source.
    pub(crate) fn oldest_fetch(&self) -> Option<Instant> {
        let sources = self.issuers.iter().filter_map(|issuer| issuer.remote.as_ref());
        sources.map(|source| source.fetched_at.unwrap_or(Instant::from_millis(0))).min()
    }

    /// A fetch begins at `at`, unless one is under way.
    pub fn fetch_begins(&mut self, issuer: usize, at: Instant) {
        if let Some(source) = self.source_mut(issuer).filter(|source| !source.under_way) {
            source.under_way = true;
            source.last_fetch = Some(at);
        }
    }

    /// A fetch brought keys. Says whether they differ from the ones before.
    pub fn fetched(&mut self, issuer: usize, keys: KeySet, now: Instant) -> bool {
        let Some(source) = self.source_mut(issuer) else { return false };
        let changed = source.keys.as_ref().is_none_or(|before| !before.is_same(&keys));
        source.keys = Some(keys);
        source.fetched_at = Some(now);
        source.under_way = false;
        source.retry = FIRST_RETRY;
        source.next_fetch = Some(now.after(source.remote.refresh));
        changed
    }

    /// A fetch failed: the last good keys stay, and the next try comes sooner than the next refresh.
    pub fn fetch_failed(&mut self, issuer: usize, now: Instant) {
        if let Some(source) = self.source_mut(issuer) {
            source.under_way = false;
            source.next_fetch = Some(now.after(source.retry));
            source.retry = source.retry.saturating_mul(2).min(source.remote.refresh);
        }
    }

    /// What is known of the keys that this cluster publishes; `None` where no issuer's keys are fetched from it.
    #[must_use]
    pub fn held_of(&self, cluster: &str) -> Option<HeldKeys<'_>> {
        let fetched = self.issuers.iter().filter_map(|issuer| {
            let source = issuer.remote.as_ref()?;
            (source.remote.endpoint.cluster == cluster).then_some((issuer, source))
        });
        let mut held: Option<HeldKeys<'_>> = None;
        for (issuer, source) in fetched {
            let held = held.get_or_insert_with(HeldKeys::default);
            held.refresh = held.refresh.max(source.remote.refresh);
            let sets = source.keys.iter().chain(&issuer.inline);
            held.kids.extend(sets.flat_map(KeySet::kids));
        }
        held
    }

    /// Whether an issuer has a source, which may publish keys that are not known here.
    #[must_use]
    pub fn has_source(&self, issuer: usize) -> bool {
        self.source(issuer).is_some()
    }

    fn source(&self, issuer: usize) -> Option<&Source> {
        self.issuers.get(issuer)?.remote.as_ref()
    }

    fn source_mut(&mut self, issuer: usize) -> Option<&mut Source> {
        self.issuers.get_mut(issuer)?.remote.as_mut()
    }
}
