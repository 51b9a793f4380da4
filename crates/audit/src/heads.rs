//! What proxies reported of their chains, as the approval service gives it.
//!
//! - A chain belongs to one reporter: the proxy whose credential its id commits to, or else its first
//!   reporter. What another one reports of it is disputed, and decides nothing.
//! - What was reported before [`Window::since`] need not be in the log.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;

use super::digest::{ChainId, Digest};
use crate::moment::{Moment, parse_rfc3339, rfc3339};

/// A report says when it came in whole seconds: it may have come this much later, in milliseconds.
const REPORTED_MS: i64 = 999;

/// Which reports are asked about.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// What was reported before need not be in the log.
    pub since: Option<Moment>,
    /// Only the chains of this node.
    pub node: Option<String>,
}

/// One report of one chain.
#[derive(Deserialize)]
pub(super) struct Reported {
    pub(super) reported_at: String,
    #[serde(default)]
    pub(super) seen_at: Option<String>,
    #[serde(default)]
    pub(super) proxy: String,
    pub(super) node: String,
    #[serde(default)]
    pub(super) process: Option<String>,
    pub(super) chain: ChainId,
    pub(super) seq: u64,
    pub(super) hash: Digest,
    pub(super) began: String,
    pub(super) ended: bool,
    /// Absent where the filter or the service is older.
    #[serde(default)]
    pub(super) configuration: Option<Digest>,
    pub(super) grants: BTreeMap<String, u64>,
    /// Absent in what an earlier version of the service told.
    #[serde(default)]
    pub(super) proof: Option<Proof>,
    #[serde(default)]
    pub(super) owner: Option<String>,
}

/// The heads of all chains.
#[derive(Debug, Default)]
pub struct Heads {
    window: Window,
    /// The chains by their rightful reporters' word, those of other nodes among them.
    chains: HashMap<ChainId, Head>,
    /// What others reported of chains.
    disputed: BTreeMap<ChainId, Disputed>,
    /// When they were read, RFC 3339: that of the first page.
    pub as_of: Option<String>,
    /// Of what was reported before this, one head an hour is kept.
    pub thinned_before: Option<Moment>,
    /// What was reported before this is not kept: that there is no head of a chain says nothing then.
    pub removed_before: Option<Moment>,
}

/// How it is known that the reporter of a chain is the proxy that writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Its id commits to the reporter's credential.
    Proven,
    /// No proxy reported it before.
    FirstReport,
    /// It belongs to another proxy.
    Disputed,
}

impl Proof {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Proof::Proven => "proven",
            Proof::FirstReport => "first_report",
            Proof::Disputed => "disputed",
        }
    }
}

/// What was reported of one chain, by the proxy that it belongs to.
#[derive(Debug, Clone)]
pub struct Head {
    /// The name of the reporter's credential.
    pub reporter: String,
    /// How it is known that the chain is the reporter's.
    pub proof: Proof,
    /// By which node.
    pub node: String,
    /// In which Envoy process, where the filter says so.
    pub process: Option<String>,
    /// When the chain began, by the proxy's clock.
    pub began: String,
    /// When the newest head was last reported.
    pub seen_at: Moment,
    /// The number at which it ended, where it did.
    pub ended: Option<u64>,
    /// The digests of the configurations under which the reporter said that the chain is written: none where it did not
    /// say, more than one where it contradicts itself.
    pub configurations: BTreeSet<Digest>,
    /// Every reported hash, by number.
    pub hashes: BTreeMap<u64, Digest>,
    /// The numbers for which the reporter told more than one hash.
    pub ambiguous: BTreeMap<u64, Vec<Digest>>,
    /// How many records each grant has.
    pub grants: BTreeMap<String, u64>,
    /// Up to which number records need not be in the log: the highest that was reported before the
    /// log begins.
    pub excused: u64,
    /// How many of each grant's records need not be in the log.
    pub excused_grants: BTreeMap<String, u64>,
}

/// What others reported of a chain.
#[derive(Debug, Clone)]
pub struct Disputed {
    /// The name of the credential that reported it last.
    pub reporter: String,
    /// Whose chain it is, where that is known.
    pub owner: Option<String>,
    /// The highest number in these reports.
    pub last: u64,
    /// How many reports there are.
    pub reports: u64,
}

fn instant(text: &str) -> Result<Moment, String> {
    parse_rfc3339(text).ok_or_else(|| format!("expected an RFC 3339 instant, got `{text}`"))
}

impl Heads {
    /// No heads yet.
    #[must_use]
    pub fn new(window: Window) -> Heads {
        Heads { window, ..Heads::default() }
    }

    pub(super) fn thinned(&mut self, before: Option<String>) -> Result<(), String> {
        let before = before.as_deref().map(instant).transpose()?;
        self.thinned_before = self.thinned_before.max(before);
        Ok(())
    }

    pub(super) fn removed(&mut self, before: Option<String>) -> Result<(), String> {
        let before = before.as_deref().map(instant).transpose()?;
        self.removed_before = self.removed_before.max(before);
        Ok(())
    }

    /// One report.
    ///
    /// # Errors
    /// What is not as expected.
    pub(super) fn reported(&mut self, reported: Reported) -> Result<(), String> {
        let reported_at = instant(&reported.reported_at)?;
        let seen_at = reported.seen_at.as_deref().map(instant).transpose()?.unwrap_or(reported_at);
        let Reported { chain, proxy, seq, proof, owner, .. } = &reported;
        let known = self.chains.get(chain);
        let proof = proof.unwrap_or(match known {
            Some(head) if head.reporter != *proxy => Proof::Disputed,
            _ => Proof::FirstReport,
        });
        let usurps = known.is_some_and(|head| head.reporter != *proxy);
        // A proxy that was renamed proves its chains under either name.
        let renamed = proof == Proof::Proven && known.is_some_and(|head| head.proof == proof);
        if proof == Proof::Disputed || (usurps && proof == Proof::FirstReport) {
            let owner = owner.clone().or_else(|| known.map(|head| head.reporter.clone()));
            self.dispute(*chain, proxy.clone(), owner, *seq);
            return Ok(());
        }
        // The id proves what the first report only claimed.
        if usurps
            && !renamed
            && let Some(claimed) = self.chains.remove(chain)
        {
            let last = claimed.last();
            self.dispute(*chain, claimed.reporter, Some(proxy.clone()), last);
        }
        let before = self.window.since.is_some_and(|since| {
            reported_at.millis().saturating_add(REPORTED_MS) <= since.millis()
        });
        let head = self.chains.entry(*chain).or_insert_with(|| Head::new(&reported, proof));
        head.add(reported, seen_at, before);
        Ok(())
    }

    fn dispute(&mut self, chain: ChainId, reporter: String, owner: Option<String>, seq: u64) {
        let none = Disputed { reporter: String::new(), owner: None, last: 0, reports: 0 };
        let disputed = self.disputed.entry(chain).or_insert(none);
        disputed.reporter = reporter;
        disputed.owner = owner.or(disputed.owner.take());
        disputed.last = disputed.last.max(seq);
        disputed.reports = disputed.reports.saturating_add(1);
    }

    /// The chain, where its own proxy reported it.
    #[must_use]
    pub fn chain(&self, chain: ChainId) -> Option<&Head> {
        self.chains.get(&chain)
    }

    /// Whether the chain is one of another node than the one that was asked for.
    #[must_use]
    pub fn is_elsewhere(&self, chain: ChainId) -> bool {
        self.chains.get(&chain).is_some_and(|head| !self.is_asked_for(head))
    }

    fn is_asked_for(&self, head: &Head) -> bool {
        self.window.node.as_ref().is_none_or(|node| *node == head.node)
    }

    /// The chains that were asked for, by id.
    #[must_use]
    pub fn expected(&self) -> Vec<(ChainId, &Head)> {
        let asked_for = self.chains.iter().filter(|(_, head)| self.is_asked_for(head));
        let mut expected: Vec<_> = asked_for.map(|(id, head)| (*id, head)).collect();
        expected.sort_unstable_by_key(|(id, _)| *id);
        expected
    }

    /// What others reported of chains, by id.
    pub fn disputed(&self) -> impl Iterator<Item = (ChainId, &Disputed)> {
        self.disputed.iter().map(|(id, disputed)| (*id, disputed))
    }

    /// When they were read.
    #[must_use]
    pub fn judged_at(&self) -> Option<Moment> {
        self.as_of.as_deref().and_then(parse_rfc3339)
    }

    /// When the newest of the heads that were asked for was last reported.
    #[must_use]
    pub fn newest(&self) -> Option<Moment> {
        let asked_for = self.chains.values().filter(|head| self.is_asked_for(head));
        asked_for.map(|head| head.seen_at).max()
    }

    /// The chains that fell silent while another one of the same Envoy process was still reported, each
    /// with when that one was. `silence` is how long a chain of a living VM is silent at most, in
    /// milliseconds.
    #[must_use]
    pub fn stale(&self, silence: i64) -> Vec<(ChainId, &Head, Moment)> {
        // Another proxy can name this process too; what it says of it is not about this one.
        let envoy = |head: &'_ Head| Some((head.reporter.clone(), head.process.clone()?));
        let mut newest: HashMap<(String, String), Moment> = HashMap::new();
        for head in self.chains.values() {
            if let Some(envoy) = envoy(head) {
                let known = newest.entry(envoy).or_insert(head.seen_at);
                *known = head.seen_at.max(*known);
            }
        }
        let since = self.window.since;
        let stale = self.expected().into_iter().filter_map(|(id, head)| {
            let newest = *newest.get(&envoy(head)?)?;
            let silent = newest.millis().saturating_sub(head.seen_at.millis()) > silence;
            let asked_for = since.is_none_or(|since| head.seen_at >= since);
            (silent && asked_for && head.ended.is_none()).then_some((id, head, newest))
        });
        stale.collect()
    }
}

impl Head {
    fn new(reported: &Reported, proof: Proof) -> Head {
        Head {
            reporter: reported.proxy.clone(),
            proof,
            node: reported.node.clone(),
            process: reported.process.clone(),
            began: reported.began.clone(),
            seen_at: Moment::from_millis(i64::MIN),
            ended: None,
            configurations: BTreeSet::new(),
            hashes: BTreeMap::new(),
            ambiguous: BTreeMap::new(),
            grants: BTreeMap::new(),
            excused: 0,
            excused_grants: BTreeMap::new(),
        }
    }

    /// One more report. `before`: it came before the log begins.
    fn add(&mut self, reported: Reported, seen_at: Moment, before: bool) {
        let Reported { seq, hash, ended, configuration, grants, process, .. } = reported;
        self.configurations.extend(configuration);
        self.seen_at = self.seen_at.max(seen_at);
        self.process = process.or(self.process.take());
        if ended {
            self.ended = Some(self.ended.map_or(seq, |known| known.min(seq)));
        }
        let first = *self.hashes.entry(seq).or_insert(hash);
        if first != hash {
            let others = self.ambiguous.entry(seq).or_insert_with(|| vec![first]);
            if !others.contains(&hash) {
                others.push(hash);
            }
        }
        if before {
            self.excused = self.excused.max(seq);
        }
        for (grant, count) in grants {
            if before {
                let known = self.excused_grants.entry(grant.clone()).or_default();
                *known = count.max(*known);
            }
            let known = self.grants.entry(grant).or_default();
            *known = count.max(*known);
        }
    }

    /// The highest number that was reported.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.hashes.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// Whether the log must have a record of it.
    #[must_use]
    pub fn asks_for_records(&self) -> bool {
        self.last() > self.excused
    }

    /// The hash that was reported for this number, where there is exactly one.
    #[must_use]
    pub fn hash(&self, seq: u64) -> Option<Digest> {
        if self.ambiguous.contains_key(&seq) { None } else { self.hashes.get(&seq).copied() }
    }

    /// Whether this hash contradicts what was reported for this number.
    #[must_use]
    pub fn contradicts(&self, seq: u64, hash: Digest) -> bool {
        // Where reports contradict each other one of them is contradicted by any log.
        self.ambiguous.contains_key(&seq)
            || self.hashes.get(&seq).is_some_and(|reported| *reported != hash)
    }

    /// When its newest head was last reported, as text.
    #[must_use]
    pub fn seen(&self) -> String {
        rfc3339(self.seen_at.seconds())
    }
}
