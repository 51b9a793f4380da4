//! What makes a record a link: nothing in a chain can be changed or left out unseen.
//!
//! A chain belongs to one worker: a VM under one configuration. Its records are numbered without a
//! gap, and each holds the hash of the one before; those of one grant are numbered too. The hash is
//! SHA-256 over the record's own text without its last member, `hash`. Whoever owns the log can still
//! cut off its end, or write a whole chain anew: so the chain's head goes to the approval service,
//! which keeps it.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::claims::Claims;
use crate::hex;
use crate::instant::Instant;

use super::object::{Object, Record};
use super::report::Head;
use super::uses::{Kinds, Used, Uses};

/// How long after the end of a grant the number of its records is remembered. What runs when a grant
/// ends is cut, and recorded soon after.
const REMEMBER: Duration = Duration::from_secs(10 * 60);

/// How often grants that ended long ago are looked for.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// How often a head is reported at most: the approval service knows each record's link within five
/// seconds.
const REPORT_INTERVAL: Duration = Duration::from_secs(4);

/// How old the approval service's knowledge of a chain becomes before the same head is reported again.
/// The time in which the heads of all VMs are gathered comes on top, and the head is to be heard about every minute.
pub(crate) const REPEAT_INTERVAL: Duration = Duration::from_secs(50);

/// How soon a report that did not arrive is sent again.
pub(crate) const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The most grants that are counted, lest their number grow without bound between two reports.
const MAX_GRANTS: usize = 100_000;

/// The place of one record in its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Link {
    /// The number of the record in its chain.
    pub(crate) seq: u64,
    /// The hash of the record before it; null in the first.
    pub(crate) prev: Option<String>,
    /// Its hash.
    pub(crate) hash: String,
}

/// What makes a record a link, but for its hash: the members before it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Seal<'a> {
    /// The number of this record among those of its grant in this chain; null without a grant, or
    /// unsealed.
    grant_seq: Option<u64>,
    /// The id of the chain.
    chain: &'a str,
    /// The number of this record in its chain; null if it is not sealed.
    seq: Option<u64>,
    /// The hash of the record before it; null in the first.
    prev: Option<&'a str>,
}

/// One worker's chain.
#[derive(Debug)]
pub(crate) struct Chain {
    id: String,
    began: Instant,
    /// The digest of the configuration under which it is written.
    configuration: Option<String>,
    head: Option<Link>,
    grants: HashMap<String, Count>,
    /// What the records of all grants are of.
    kinds: Kinds,
    /// What the approval service knows.
    known: Known,
    /// When it last heard of the head that it knows.
    known_at: Instant,
    /// What it will know when the report that is under way has arrived.
    reporting: Option<Known>,
    /// When the next report may be sent.
    next_report: Option<Instant>,
    /// Whether no record will follow.
    ended: bool,
    forgot_at: Instant,
}

/// How much of a chain the approval service knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    /// Up to which record.
    seq: u64,
    /// Whether it knows that no other one follows.
    ended: bool,
}

/// The records of one grant.
#[derive(Debug)]
struct Count {
    records: u64,
    /// The latest one in the chain.
    latest: u64,
    exp: u64,
    uses: Uses,
}

impl Chain {
    /// An empty chain. Nobody else's has this id, ever.
    pub(crate) fn new(id: [u8; 16], began: Instant) -> Chain {
        Chain {
            id: hex::lower(&id),
            began,
            configuration: None,
            head: None,
            grants: HashMap::new(),
            kinds: Kinds::default(),
            known: Known::default(),
            known_at: began,
            reporting: None,
            next_report: None,
            ended: false,
            forgot_at: began,
        }
    }

    /// The same, which names the configuration under which it is written.
    pub(crate) fn under(self, configuration: Option<String>) -> Chain {
        Chain { configuration, ..self }
    }

    /// The id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Ends a record that is no link.
    pub(super) fn mark(&self, mut record: Object) -> Record {
        record.add(&Seal { grant_seq: None, chain: &self.id, seq: None, prev: None });
        record.close(r#","hash":null}"#)
    }

    /// Ends a record that is the next link, which is the head then; of a grant, with what it is of. No link follows
    /// the end of the chain.
    pub(super) fn seal(&mut self, mut record: Object, of: Option<(&Claims, Used<'_>)>) -> Record {
        if self.ended {
            return self.mark(record);
        }
        let prev = self.head.take();
        let seq = prev.as_ref().map_or(0, |link| link.seq).saturating_add(1);
        let grant_seq = of.map(|(claims, used)| self.count(claims, used, seq));
        let prev = prev.map(|link| link.hash);
        record.add(&Seal { grant_seq, chain: &self.id, seq: Some(seq), prev: prev.as_deref() });
        let hash = Sha256::new().chain_update(record.text()).chain_update("}").finalize();
        let link = self.head.insert(Link { seq, prev, hash: hex::lower(&hash) });
        record.close(&[r#","hash":""#, &link.hash, "\"}"].concat())
    }

    /// The latest record's place.
    pub(crate) fn head(&self) -> Option<&Link> {
        self.head.as_ref()
    }

    /// Counts a record of a grant: its number among them.
    fn count(&mut self, claims: &Claims, used: Used<'_>, seq: u64) -> u64 {
        let count = match self.grants.get_mut(&claims.jti) {
            Some(count) => count,
            None => {
                let uses = Uses::default();
                let none = Count { records: 0, latest: 0, exp: claims.exp, uses };
                self.grants.entry(claims.jti.clone()).or_insert(none)
            }
        };
        count.records = count.records.saturating_add(1);
        count.latest = seq;
        count.uses.count(used, seq, &mut self.kinds);
        count.records
    }

    /// The head, if it is new to the approval service and it is time for a report: it is under way
    /// then.
    pub(crate) fn report(&mut self, now: Instant) -> Option<Head> {
        if self.has_news() && self.may_report(now) { self.send(now) } else { None }
    }

    /// The head that the approval service knows, if it is time for it to hear of it again: it is under
    /// way then.
    pub(crate) fn repeat(&mut self, now: Instant) -> Option<Head> {
        // A clock that was set back must not keep the head from being repeated.
        self.known_at = self.known_at.min(now);
        let due = self.known_at.after(REPEAT_INTERVAL) <= now;
        if due && self.is_idle() && self.may_report(now) { self.send(now) } else { None }
    }

    /// Whether the approval service knows all of the chain, and the chain goes on.
    pub(crate) fn is_idle(&self) -> bool {
        let all = self.knowable().is_some_and(|knowable| knowable == self.known);
        all && self.reporting.is_none() && !self.ended
    }

    /// When the approval service last heard of the head that it knows.
    pub(crate) fn known_at(&self) -> Instant {
        self.known_at
    }

    /// The approval service heard of the head that it knows, by the report of another VM.
    pub(crate) fn was_repeated(&mut self, now: Instant) {
        self.known_at = now;
    }

    /// The head with the grants that the approval service does not know all records of.
    pub(crate) fn to_report(&self) -> Option<Head> {
        let head = self.head.as_ref()?;
        let known = self.known.seq;
        let new =
            || self.grants.iter().filter(|(_, count)| head.seq > known && count.latest > known);
        let uses = new().map(|(grant, count)| (grant.clone(), count.uses.since(known)));
        Some(Head {
            chain: self.id.clone(),
            seq: head.seq,
            hash: head.hash.clone(),
            began: self.began.rfc3339(),
            ended: self.ended,
            // Once is enough: the id stands for it from then on.
            configuration: self.configuration.clone().filter(|_| self.known.seq == 0),
            grants: new().map(|(grant, count)| (grant.clone(), count.records)).collect(),
            uses: uses.filter(|(_, uses)| !uses.is_empty()).collect(),
        })
    }

    /// No record will follow. That is reported at once.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.next_report = None;
    }

    /// Whether the approval service knows that no record will follow, or will never ask for one.
    pub(crate) fn is_over(&self) -> bool {
        self.known.ended || (self.ended && self.head.is_none())
    }

    /// All that can be known of the chain; `None` while it has no record.
    fn knowable(&self) -> Option<Known> {
        self.head.as_ref().map(|head| Known { seq: head.seq, ended: self.ended })
    }

    /// When the head is to be reported next, if there is something new to report and no report is under way.
    pub(crate) fn next_report(&self) -> Option<Instant> {
        let due = self.next_report.unwrap_or(self.began);
        (self.has_news() && self.reporting.is_none()).then_some(due)
    }

    /// Whether there is something that the approval service does not know.
    fn has_news(&self) -> bool {
        self.knowable().is_some_and(|knowable| knowable != self.known)
    }

    fn may_report(&self, now: Instant) -> bool {
        // A clock that was set back must not keep a report from being sent.
        let due = |at: Instant| now >= at || now.after(REPORT_INTERVAL) < at;
        self.reporting.is_none() && self.next_report.is_none_or(due)
    }

    fn send(&mut self, now: Instant) -> Option<Head> {
        let head = self.to_report()?;
        self.reporting = self.knowable();
        self.next_report = Some(now.after(REPORT_INTERVAL));
        Some(head)
    }

    /// The report that was under way has arrived, or has not; then the next one is sent sooner.
    pub(crate) fn reported(&mut self, arrived: bool, now: Instant) {
        match self.reporting.take() {
            Some(known) if arrived => {
                self.known = known;
                self.known_at = now;
                if self.ended {
                    self.next_report = None;
                }
            }
            _ => self.next_report = Some(now.after(RETRY_INTERVAL)),
        }
    }

    /// Forgets, now and then, how many records grants had that ended long ago; those that the
    /// approval service does not know of last.
    pub(crate) fn forget(&mut self, now: Instant) {
        if now.since(self.forgot_at) < FORGET_INTERVAL {
            return;
        }
        self.forgot_at = now;
        let lives = |count: &Count| now < Instant::from_seconds(count.exp).after(REMEMBER);
        let reported = self.known.seq;
        self.grants.retain(|_, count| count.latest > reported || lives(count));
        if self.grants.len() > MAX_GRANTS {
            self.grants.retain(|_, count| lives(count));
        }
        self.kinds.forget(self.grants.values().map(|count| &count.uses));
    }
}
