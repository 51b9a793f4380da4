//! What makes a record a link: nothing in a chain can be changed or left out unseen.
//!
//! A chain belongs to one worker: a VM under one configuration. Its records are numbered without a
//! gap, and each holds the hash of the one before; those of one grant are numbered too. The hash is
//! SHA-256 over the record's own text without its last member, `hash`. Whoever owns the log can still
//! cut off its end, or write a whole chain anew: so the chain's head goes to the approval service,
//! which keeps it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::claims::Claims;
use crate::hex;
use crate::instant::Instant;

use super::record::{Object, Record};

/// How long after the end of a grant the number of its records is remembered. What runs when a grant
/// ends is cut, and recorded soon after.
const REMEMBER: Duration = Duration::from_secs(10 * 60);

/// How often grants that ended long ago are looked for.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// How often a head is reported at most: the approval service knows each record's link within five
/// seconds.
const REPORT_INTERVAL: Duration = Duration::from_secs(4);

/// How soon a report that did not arrive is sent again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

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
    head: Option<Link>,
    grants: HashMap<String, Count>,
    /// Up to which record the approval service knows.
    reported: u64,
    /// Up to which record it will know when the report that is under way has arrived.
    reporting: Option<u64>,
    /// When the next report may be sent.
    next_report: Option<Instant>,
    forgot_at: Instant,
}

/// The records of one grant.
#[derive(Debug)]
struct Count {
    records: u64,
    /// The latest one in the chain.
    latest: u64,
    exp: u64,
}

/// What the approval service is told.
#[derive(Serialize)]
struct Report<'a> {
    node: &'a str,
    heads: [Head<'a>; 1],
}

#[derive(Serialize)]
struct Head<'a> {
    chain: &'a str,
    seq: u64,
    hash: &'a str,
    began: String,
    ended: bool,
    /// The grants with records since the last report, with the number of all their records.
    grants: BTreeMap<&'a str, u64>,
}

impl Chain {
    /// An empty chain. Nobody else's has this id, ever.
    pub(crate) fn new(id: [u8; 16], began: Instant) -> Chain {
        Chain {
            id: hex::lower(&id),
            began,
            head: None,
            grants: HashMap::new(),
            reported: 0,
            reporting: None,
            next_report: None,
            forgot_at: began,
        }
    }

    /// Ends a record that is no link.
    pub(super) fn mark(&self, mut record: Object) -> Record {
        record.add(&Seal { grant_seq: None, chain: &self.id, seq: None, prev: None });
        record.close(r#","hash":null}"#)
    }

    /// Ends a record that is the next link, which is the head then.
    pub(super) fn seal(&mut self, mut record: Object, claims: Option<&Claims>) -> Record {
        let prev = self.head.take();
        let seq = prev.as_ref().map_or(0, |link| link.seq).saturating_add(1);
        let grant_seq = claims.map(|claims| self.count(claims, seq));
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
    fn count(&mut self, claims: &Claims, seq: u64) -> u64 {
        let count = match self.grants.get_mut(&claims.jti) {
            Some(count) => count,
            None => {
                let none = Count { records: 0, latest: 0, exp: claims.exp };
                self.grants.entry(claims.jti.clone()).or_insert(none)
            }
        };
        count.records = count.records.saturating_add(1);
        count.latest = seq;
        count.records
    }

    /// What is new to the approval service, as the body of a call; `None` if nothing is, or it is not
    /// time for the next report.
    pub(crate) fn report(&mut self, node: Option<&str>, now: Instant) -> Option<String> {
        let head = self.head.as_ref().filter(|head| head.seq > self.reported)?;
        // A clock that was set back must not keep a report from being sent.
        let due = |at: Instant| now >= at || now.after(REPORT_INTERVAL) < at;
        if self.reporting.is_some() || !self.next_report.is_none_or(due) {
            return None;
        }
        let new = self.grants.iter().filter(|(_, count)| count.latest > self.reported);
        let report = Report {
            node: node.unwrap_or_default(),
            heads: [Head {
                chain: &self.id,
                seq: head.seq,
                hash: &head.hash,
                began: self.began.rfc3339(),
                ended: false,
                grants: new.map(|(grant, count)| (grant.as_str(), count.records)).collect(),
            }],
        };
        let body = serde_json::to_string(&report).ok()?;
        self.reporting = Some(head.seq);
        self.next_report = Some(now.after(REPORT_INTERVAL));
        Some(body)
    }

    /// The report that was under way has arrived, or has not; then the next one is sent sooner.
    pub(crate) fn reported(&mut self, arrived: bool, now: Instant) {
        match self.reporting.take() {
            Some(seq) if arrived => self.reported = seq,
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
        let reported = self.reported;
        self.grants.retain(|_, count| count.latest > reported || lives(count));
        if self.grants.len() > MAX_GRANTS {
            self.grants.retain(|_, count| lives(count));
        }
    }
}
