//! One chain: its numbers, links and starts, in memory that does not grow with the log.
//!
//! What is kept is runs of records that follow each other (one, where nothing is missing), the
//! last few records to compare a second one with, and the streams that have begun.
//!
//! 1. A number that is free is taken: alone, at the end of a run, or between two.
//! 2. A number that is taken by the same record is a duplicate, but for a start.
//! 3. By another one: of the two the one is forged that the next record does not name.
//! 4. In one file a chain's records come in their order ([`super::order`]), starts excepted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::digest::{ChainId, Digest};
use super::finding::{Finding, Findings, Kind, Place};
use super::grants::Grants;
use super::heads::Head;
use super::order::Read;
use super::record::{Phase, Seal, Start};
use super::run::{Judgement, Link, Prev, Run};
use super::starts::{Began, Starts};

/// How many of the latest records a second one with the same number is compared with.
const RECENT: usize = 256;

/// How many runs are kept: a log with more holes is reported from the front.
const MAX_RUNS: usize = 16_384;

/// How many numbers of changed records are kept.
const MAX_CHANGED: usize = 100_000;

/// One chain.
#[derive(Debug)]
pub struct Chain {
    id: ChainId,
    runs: BTreeMap<u64, Run>,
    recent: VecDeque<Link>,
    starts: Starts,
    /// The starts up to the head for which nobody speaks but an end after it, which anybody who has the
    /// log can write; and where that is.
    unproven: BTreeMap<u64, Place>,
    /// The grants.
    pub grants: Grants,
    changed: BTreeSet<u64>,
    /// Those that are not what the proxy reported.
    contradicted: BTreeMap<u64, (Digest, Place)>,
    /// The last record that is no start.
    latest: Option<Read>,
    /// How many records of it are in the log.
    pub records: u64,
}

impl Chain {
    /// A chain of which nothing is known.
    #[must_use]
    pub fn new(id: ChainId) -> Chain {
        Chain {
            id,
            runs: BTreeMap::new(),
            recent: VecDeque::new(),
            starts: Starts::default(),
            unproven: BTreeMap::new(),
            grants: Grants::default(),
            changed: BTreeSet::new(),
            contradicted: BTreeMap::new(),
            latest: None,
            records: 0,
        }
    }

    /// A record whose hash is not that of its text: what it says of itself may be true or not.
    pub fn changed(&mut self, seq: u64) {
        if self.changed.len() < MAX_CHANGED {
            self.changed.insert(seq);
        }
    }

    /// A record. `ended_at` is [`super::record::Record::ended_at`]. Returns whether it is a new one.
    pub fn sealed(
        &mut self,
        seal: Seal,
        phase: Phase,
        place: Place,
        head: Option<&Head>,
        ended_at: Option<i64>,
        findings: &mut Findings,
    ) -> bool {
        let Seal { seq, prev, hash } = seal;
        let prev = prev.map_or(Prev::First, Prev::Hash);
        let link = Link { seq, prev, hash, place, linked: true };
        self.records = self.records.saturating_add(1);
        if phase == Phase::Start && self.is_known_start(link, findings) {
            return false;
        }
        if let Some(head) = head
            && head.ended.is_some_and(|last| seq > last)
        {
            let detail = format!("record {seq} comes after the one reported as the chain's last");
            findings.add(Finding::at(Kind::AfterEnd, place, detail).of(self.id, seq, seq));
        }
        let new = self.place(link, head, findings);
        if new && phase == Phase::Start {
            self.starts.open(seq, Began { hash, place, seen: true, before: None });
        }
        if new && phase == Phase::End {
            self.check_order(Read { seq, place, ended_at }, findings);
        }
        new
    }

    /// The end with the number `end`, which names the record of its stream's start. Returns whether
    /// only the end speaks for it.
    pub fn began(
        &mut self,
        start: Start,
        end: u64,
        place: Place,
        head: Option<&Head>,
        findings: &mut Findings,
    ) -> bool {
        let Start { seq, prev, hash } = start;
        if let Some(began) = self.starts.find(seq) {
            if began.hash != hash {
                let detail = format!("the end of its stream names another record {seq}");
                let found = Finding::at(Kind::Forged, began.place, detail).see(place);
                findings.add(found.of(self.id, seq, seq));
            }
            self.starts.end(seq);
            return false;
        }
        let prev = prev.map_or(Prev::Unknown, Prev::Hash);
        let prev = if seq == 1 { Prev::First } else { prev };
        let link = Link { seq, prev, hash, place, linked: true };
        let before = self.run_ending(seq.saturating_sub(1)).map(|run| run.last.hash);
        let unproven = head.is_some_and(|head| seq <= head.last() && head.last() < end);
        if unproven && self.unproven.len() >= MAX_CHANGED {
            return false;
        }
        let new = self.holds(seq).is_none() && self.place(link, head, findings);
        if new {
            self.unproven.extend(unproven.then_some((seq, place)));
            self.starts.vouched(seq, Began { hash, place, seen: false, before });
        }
        new
    }

    /// A start that is known already: a copy, or the one that its end has spoken for.
    fn is_known_start(&mut self, link: Link, findings: &mut Findings) -> bool {
        let (chain, seq) = (self.id, link.seq);
        let Some(began) = self.starts.find(seq) else { return false };
        let mut found = |kind, detail: &str| {
            let found = Finding::at(kind, link.place, detail).see(began.place);
            findings.add(found.of(chain, seq, seq));
        };
        if began.hash != link.hash {
            found(Kind::Forged, "another record with its number began the stream");
        } else if !began.seen && began.before.is_some_and(|before| !link.prev.names(before)) {
            found(Kind::BrokenLink, "it does not name the hash of the record before it");
        }
        began.seen = true;
        if began.hash == link.hash {
            self.unproven.remove(&seq);
        }
        true
    }

    fn check_order(&mut self, read: Read, findings: &mut Findings) {
        if let Some(before) = self.latest.filter(|before| !before.may_precede(&read)) {
            let detail = format!("record {} comes after record {}", read.seq, before.seq);
            let found = Finding::at(Kind::Reordered, read.place, detail).see(before.place);
            findings.add(found.of(self.id, read.seq, read.seq));
        }
        self.latest = Some(read);
    }

    /// Puts a record into its place. Returns whether the place was free.
    fn place(&mut self, link: Link, head: Option<&Head>, findings: &mut Findings) -> bool {
        let seq = link.seq;
        if let Some(first) = self.holds(seq) {
            self.taken(first, link, findings);
            return false;
        }
        if head.is_some_and(|head| head.contradicts(seq, link.hash))
            && self.contradicted.len() < MAX_CHANGED
        {
            self.contradicted.insert(seq, (link.hash, link.place));
        }
        self.remember(link);
        let reported = |seq| head.and_then(|head| head.hash(seq));
        let mut judgements = Vec::new();
        let first = match self.run_ending(seq.saturating_sub(1)) {
            Some(run) if seq > 1 => {
                judgements.extend(run.settle(Some(link.prev), reported(run.last.seq)));
                run.extend(link);
                run.first.seq
            }
            _ => {
                self.runs.insert(seq, Run::new(link));
                seq
            }
        };
        if let Some(next) = self.runs.remove(&seq.saturating_add(1))
            && let Some(run) = self.runs.get_mut(&first)
        {
            judgements.extend(run.settle(Some(next.first.prev), reported(seq)));
            judgements.extend(run.join(next));
        }
        self.report(judgements, findings);
        if self.runs.len() > MAX_RUNS {
            self.close_first_hole(findings);
        }
        true
    }

    /// Another record has its number.
    fn taken(&mut self, first: u64, link: Link, findings: &mut Findings) {
        let Link { seq, hash, place, .. } = link;
        let known = self.recent.iter().rev().find(|known| known.seq == seq);
        let same = known.map(|known| known.hash == hash);
        let other = known.map(|known| known.place);
        let Some(run) = self.runs.get_mut(&first) else { return };
        let (kind, detail) = match same {
            Some(false) if run.last.seq == seq => {
                run.contest(link);
                self.remember(link);
                return;
            }
            Some(false) => (Kind::Forged, "the record after it names another one".to_owned()),
            Some(true) => (Kind::Duplicated, format!("record {seq} is there twice")),
            None => (
                Kind::Duplicated,
                format!("there was a record {seq} before, too far back to be compared"),
            ),
        };
        let found = Finding { other, ..Finding::at(kind, place, detail) };
        findings.add(found.of(self.id, seq, seq));
    }

    /// The first number of the run that has this one.
    fn holds(&self, seq: u64) -> Option<u64> {
        let (first, run) = self.runs.range(..=seq).next_back()?;
        (seq <= run.last.seq).then_some(*first)
    }

    fn run_ending(&mut self, seq: u64) -> Option<&mut Run> {
        let (_, run) = self.runs.range_mut(..=seq).next_back()?;
        (run.last.seq == seq).then_some(run)
    }

    fn remember(&mut self, link: Link) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(link);
    }

    fn report(&mut self, judgements: Vec<Judgement>, findings: &mut Findings) {
        for judgement in judgements {
            let (kind, place, other, detail) = match judgement {
                Judgement::Broken(place) => (
                    Kind::BrokenLink,
                    place,
                    None,
                    "it does not name the hash of the record before it",
                ),
                Judgement::Forged { place, hash, right, certain } => {
                    self.contradicted.retain(|_, (other, _)| *other != hash);
                    let detail = if certain {
                        "the chain goes on from another record with its number"
                    } else {
                        "there is another record with its number; which of them is the right one \
                         cannot be told"
                    };
                    (Kind::Forged, place, Some(right), detail)
                }
            };
            let link = self.recent.iter().rev().find(|link| link.place == place);
            findings.add(Finding {
                chain: Some(self.id),
                numbers: link.map(|link| (link.seq, link.seq)),
                other,
                ..Finding::at(kind, place, detail)
            });
        }
    }

    /// Too many holes: the first one will not be filled any more.
    fn close_first_hole(&mut self, findings: &mut Findings) {
        let Some((key, mut run)) = self.runs.pop_first() else { return };
        let judgements = run.settle(None, None);
        self.report(judgements, findings);
        if let Some((_, next)) = self.runs.pop_first() {
            self.missing(&run, &next, findings);
            run.absorb(next);
            self.runs.insert(key, run);
        }
    }

    /// The numbers between two runs.
    fn missing(&self, run: &Run, next: &Run, findings: &mut Findings) {
        let (before, after) = (run.last, next.first);
        let (first, last) = (before.seq.saturating_add(1), after.seq.saturating_sub(1));
        for (first, last) in self.without_changed(first, last) {
            let detail = "they come before this line, and are nowhere";
            let found = Finding::at(Kind::Missing, after.place, detail).see(before.place);
            findings.add(found.of(self.id, first, last));
        }
    }

    /// The parts of a range that no changed record says to be.
    fn without_changed(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut parts = Vec::new();
        let mut from = first;
        if first > last {
            return parts;
        }
        for changed in self.changed.range(first..=last) {
            if from < *changed {
                parts.push((from, changed.saturating_sub(1)));
            }
            from = changed.saturating_add(1);
        }
        if from <= last {
            parts.push((from, last));
        }
        parts
    }

    /// The first and the last number, and the place of the last: nothing where no record is intact.
    #[must_use]
    pub fn ends(&self) -> Option<(u64, u64, Place)> {
        let (first, _) = self.runs.first_key_value()?;
        let (_, run) = self.runs.last_key_value()?;
        Some((*first, run.last.seq, run.last.place))
    }

    /// Whether every number up to the last is there, and to the last that was reported.
    #[must_use]
    pub fn is_whole(&self, head: Option<&Head>) -> bool {
        let reported = head.map_or(0, Head::last);
        let reaches = self.ends().is_some_and(|(first, last, _)| first == 1 && last >= reported);
        reaches && self.runs.len() == 1 && self.changed.is_empty()
    }

    /// The log is over: what is missing now stays missing. `since` excuses the beginning of a chain
    /// that began before it.
    pub fn finish(&mut self, head: Option<&Head>, since: Option<&str>, findings: &mut Findings) {
        let mut runs = std::mem::take(&mut self.runs);
        for run in runs.values_mut() {
            let reported = head.and_then(|head| head.hash(run.last.seq));
            let judgements = run.settle(None, reported);
            self.report(judgements, findings);
        }
        if let Some(first) = runs.values().next() {
            let excused = match (head, since) {
                (Some(head), Some(since)) => head.began_before(since),
                _ => false,
            };
            let last = first.first.seq.saturating_sub(1);
            for (from, to) in if excused { Vec::new() } else { self.without_changed(1, last) } {
                let detail = "the chain's first records are not there";
                let place = first.first.place;
                findings.add(Finding::at(Kind::Missing, place, detail).of(self.id, from, to));
            }
        }
        for (run, next) in runs.values().zip(runs.values().skip(1)) {
            self.missing(run, next, findings);
        }
        for (seq, place) in &self.unproven {
            let detail = "it is nowhere, and no proxy has reported the end that calls it its start";
            findings.add(Finding::at(Kind::Missing, *place, detail).of(self.id, *seq, *seq));
        }
        if let Some((seq, (_, place))) = self.contradicted.first_key_value() {
            let before = head.and_then(|head| head.hashes.range(..*seq).next_back());
            let detail = match before {
                Some((agreed, _)) => format!(
                    "it is not the record that the proxy reported; up to record {agreed} the log is \
                     as reported"
                ),
                None => "it is not the record that the proxy reported".to_owned(),
            };
            let finding = Finding::at(Kind::NotAsReported, *place, detail);
            findings.add(finding.of(self.id, *seq, *seq));
        }
        for (seq, began) in self.starts.running() {
            let detail = format!("the stream that began with record {seq} has no end");
            findings.add(Finding::at(Kind::NoEnd, began.place, detail).of(self.id, seq, seq));
        }
        self.runs = runs;
        if let (Some(head), Some((_, last, place))) = (head, self.ends()) {
            for (first, last) in self.without_changed(last.saturating_add(1), head.last()) {
                let detail = format!("the proxy reported record {last} at {}", head.reported_at);
                findings.add(Finding::at(Kind::CutTail, place, detail).of(self.id, first, last));
            }
        }
    }
}
