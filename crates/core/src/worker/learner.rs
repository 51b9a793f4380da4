//! What is known: the keys of the issuers, the tokens that were verified, what introspection said of grants, and which
//! grants are revoked; and when each source of that is asked again.
//!
//! The learner knows no stream and no record. What is to be called it puts into the queue of calls; that some grant
//! is newly revoked it only says: the worker looks which of its streams that ends.

mod feed;

use std::rc::Rc;
use std::time::Duration;

use crate::audit::{RevocationSource, Standing};
use crate::caller::Identity;
use crate::calls::{Answer, Calls};
use crate::config::Config;
use crate::decision::Known;
use crate::instant::Instant;
use crate::introspection::{Verdict, read_answer};
use crate::json::Json;
use crate::knowledge::Knowledge;
use crate::memory::Memory;
use crate::revocations::Revocations;
use crate::sharing::Sharing;
use crate::token::{KeyRing, KeySet, VerifiedToken, unusable_entries};

/// What one worker knows of tokens and grants.
#[derive(Debug)]
pub(super) struct Learner {
    config: Rc<Config>,
    /// The proxy's name, for polls.
    node: Option<String>,
    keys: KeyRing,
    memory: Memory,
    revocations: Revocations,
    knowledge: Knowledge,
    /// `None` where every VM asks for itself.
    sharing: Option<Sharing>,
    /// Whether it is this VM that polls the feed.
    leads: bool,
    /// Whether the last answer of the feed is still to be shared.
    has_news: bool,
    /// When it was last looked at what the other VMs know.
    looked_at: Option<Instant>,
}

impl Learner {
    /// One that knows the keys in its configuration, and nothing else.
    pub(super) fn new(config: &Rc<Config>, identity: &Identity, now: Instant) -> Learner {
        let sharing = Sharing::new(config, identity.id);
        Learner {
            keys: KeyRing::new(config),
            memory: Memory::new(),
            revocations: Revocations::new(),
            knowledge: Knowledge::new(config.issuers.len(), now),
            leads: sharing.is_none(),
            sharing,
            has_news: false,
            looked_at: None,
            node: identity.node.clone(),
            config: Rc::clone(config),
        }
    }

    /// What a decision is made from.
    pub(super) fn known(&mut self) -> Known<'_> {
        Known {
            keys: &self.keys,
            revocations: &self.revocations,
            knowledge: &self.knowledge,
            memory: &mut self.memory,
        }
    }

    pub(super) fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// A token that was verified before, while it lives.
    pub(super) fn token(&mut self, bytes: &[u8], now: Instant) -> Option<Rc<VerifiedToken>> {
        self.memory.token(bytes, now, self.config.clock_skew)
    }

    /// Whether the grant is known to be revoked.
    pub(super) fn is_revoked(&self, jti: &str) -> bool {
        self.revocations.is_revoked(jti)
    }

    /// What the feed has said of a grant that is known to be revoked.
    pub(super) fn of_feed(&self, now: Instant) -> Standing {
        Standing {
            source: RevocationSource::Feed,
            epoch: self.revocations.epoch(),
            epoch_age: self.revocations.age(now),
        }
    }

    /// Whether what the feed has said is new enough to let requests through.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        let age = self.revocations.age(now);
        age.is_some_and(|age| age <= self.config.revocation.max_staleness)
    }

    /// How old what the feed has said is; `None` if it has said nothing, or if the clock was set back since.
    pub(super) fn feed_age(&self, now: Instant) -> Option<Duration> {
        self.revocations.age(now)
    }

    /// As of when what the feed has said is known; `None` if it has said nothing.
    pub(super) fn feed_as_of(&self) -> Option<Instant> {
        self.revocations.position().map(|(.., as_of)| as_of)
    }

    /// Whether this VM asks for the others too, or each asks for itself.
    pub(super) fn leads(&self) -> bool {
        self.leads
    }

    /// When something was last known of the grants of this issuer.
    pub(super) fn last_known(&self, issuer: usize) -> Instant {
        self.knowledge.last(issuer)
    }

    /// A clock that was set back takes back with it when something was known.
    pub(super) fn notice(&mut self, now: Instant) {
        self.knowledge.notice(now);
    }

    /// Time has passed: asks for the keys that are due, and forgets what is void.
    pub(super) fn refresh(&mut self, calls: &mut Calls, now: Instant) {
        for issuer in self.keys.due(now) {
            calls.queue_keys(issuer, now);
            self.keys.fetch_begins(issuer, now);
        }
        self.revocations.purge(now);
        self.knowledge.notice(now);
    }

    /// When keys are to be asked for next.
    pub(super) fn next_fetch(&self) -> Option<Instant> {
        self.keys.next_fetch()
    }

    /// A request waits for a key that is not known: when its issuer is asked.
    pub(super) fn fetch_keys(&mut self, issuer: usize, now: Instant) -> Instant {
        let at = self.keys.earliest_fetch(issuer, now);
        self.keys.fetch_begins(issuer, at);
        at
    }

    /// An issuer was asked for its keys. Which entries cannot be used, if its keys are other ones now; else why the
    /// answer brought no keys.
    pub(super) fn learn_keys(
        &mut self,
        issuer: usize,
        answer: &Answer<'_>,
        now: Instant,
    ) -> Result<Option<Vec<String>>, String> {
        let keys = match answer {
            Answer::Response { status: 200, body } => read_keys(body),
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                Err(String::new())
            }
        };
        let keys = keys.inspect_err(|_| self.keys.fetch_failed(issuer, now))?;
        let unusable = keys.unusable();
        if !self.keys.fetched(issuer, keys, now) {
            return Ok(None);
        }
        self.memory.forget_tokens();
        Ok(Some(unusable))
    }

    /// Introspection was asked about a grant: what it said.
    pub(super) fn learn_verdict(
        &mut self,
        (issuer, jti): (usize, &str),
        answer: &Answer<'_>,
        asked_at: Instant,
        now: Instant,
    ) -> Option<Verdict> {
        let verdict = match answer {
            Answer::Response { status, body } => read_answer(*status, body, jti)?,
            Answer::Failed | Answer::NotSent | Answer::TimedOut => return None,
        };
        if let Some(introspection) = &self.config.revocation.introspection {
            self.memory.keep_verdict(issuer, jti, verdict, now, introspection.cache);
            self.knowledge.answered_as_of(issuer, asked_at, now);
        }
        Some(verdict)
    }
}

/// The key set that an issuer published, or why it is none.
fn read_keys(body: &[u8]) -> Result<KeySet, String> {
    let json = Json::parse(body).map_err(|_| "expected JSON, each name once".to_owned())?;
    KeySet::read_remote(&json).map_err(|error| {
        let unusable = unusable_entries(&json);
        let entries = unusable.iter().take(4).map(|entry| format!("; {entry}"));
        std::iter::once(error.to_string()).chain(entries).collect()
    })
}

#[cfg(test)]
mod tests;
