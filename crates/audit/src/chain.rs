//! One chain: its numbers, links and starts.
//!
//! What is kept is runs of records that follow each other (one, where nothing is missing) with eight
//! bytes a record, the last few records to say where they are, and the streams that have begun.
//!
//! 1. A number that is free is taken: alone, at the end of a run, or between two.
//! 2. A number that is taken by the same record is a copy, which a start may be.
//! 3. By another one: of the two the one is forged that the next record does not name.
//! 4. In one file a chain's records come in their order ([`super::order`]), starts excepted.
//! 5. No head vouches for a record after the last one: it is too young, or heads stopped.
//!
//! Copies and another order are what pipelines make of a log; they change no verdict, whichever way the
//! records come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::digest::{ChainId, Digest};
use super::finding::{Finding, Findings, Kind, Place};
use super::grants::Grants;
use super::heads::Head;
use super::order::Read;
use super::record::{Phase, Seal, Start};
use super::run::{Break, Fingerprints, Judgement, Link, Prev, Run};
use super::starts::{Began, Starts};
use super::unvouched::Unvouched;

/// Of how many of the latest records it is known where they are, for a second one with the same number.
const RECENT: usize = 256;

/// How many runs are kept: a log with more holes is reported from the front.
const MAX_RUNS: usize = 1_000_000;

/// How many broken links are kept until the end, in case the right record before them still comes.
const MAX_BREAKS: usize = 100_000;

/// How many numbers of changed records are kept.
const MAX_CHANGED: usize = 100_000;

/// One chain.
#[derive(Debug)]
pub struct Chain {
    id: ChainId,
    fingerprints: Fingerprints,
    runs: BTreeMap<u64, Box<Run>>,
    recent: VecDeque<Link>,
    /// The records that do not name the one before them, by number.
    breaks: BTreeMap<u64, Break>,
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
    /// What comes after the last head.
    pub unvouched: Unvouched,
    /// How many records of it are in the log.
    pub records: u64,
}

impl Chain {
    /// A chain of which nothing is known.
    #[must_use]
    pub fn new(id: ChainId, head: Option<&Head>, fingerprints: Fingerprints) -> Chain {
        Chain {
            id,
            fingerprints,
            runs: BTreeMap::new(),
            recent: VecDeque::new(),
            breaks: BTreeMap::new(),
            starts: Starts::default(),
            unproven: BTreeMap::new(),
            grants: head.map(|head| Grants::new(&head.excused_grants)).unwrap_or_default(),
            changed: BTreeSet::new(),
            contradicted: BTreeMap::new(),
            latest: None,
            unvouched: Unvouched::new(id),
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
        let before = run_ending(&mut self.runs, seq.saturating_sub(1)).map(|run| run.last.hash);
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
        let fingerprints = &self.fingerprints;
        let fingerprint = fingerprints.of(link.hash);
        let first = match run_ending(&mut self.runs, seq.saturating_sub(1)) {
            Some(run) if seq > 1 => {
                let reported = reported(run.last.seq);
                judgements.extend(run.settle(Some(link.prev), reported, fingerprints));
                run.extend(link, fingerprint);
                run.first.seq
            }
            _ => {
                self.runs.insert(seq, Box::new(Run::new(link, fingerprint)));
                seq
            }
        };
        if let Some(next) = self.runs.remove(&seq.saturating_add(1))
            && let Some(run) = self.runs.get_mut(&first)
        {
            judgements.extend(run.settle(Some(next.first.prev), reported(seq), fingerprints));
            judgements.extend(run.join(*next));
        }
        self.report(judgements, findings);
        if self.runs.len() > MAX_RUNS {
            self.close_first_hole(findings);
        }
        true
    }

    /// Its number is taken.
    fn taken(&mut self, first: u64, link: Link, findings: &mut Findings) {
        let Link { seq, hash, place, .. } = link;
        let known = self.recent.iter().rev().find(|known| known.seq == seq);
        let other = known.map(|known| known.place);
        let fingerprint = self.fingerprints.of(hash);
        let Some(run) = self.runs.get_mut(&first) else { return };
        let (kind, detail) = match run.fingerprint(seq) {
            Some(known) if known == fingerprint => {
                (Kind::Duplicated, format!("record {seq} is there twice"))
            }
            Some(_) if run.last.seq == seq => {
                run.contest(link);
                self.remember(link);
                return;
            }
            Some(_) => {
                let next = self.breaks.get(&seq.saturating_add(1));
                let named = next.filter(|next| next.prev == Prev::Hash(hash));
                // The record after it names it: it is the right one.
                if let Some(forged) =
                    named.map(|next| next.before).or_else(|| run.last_expects(&link))
                {
                    self.correct(first, link, forged, findings);
                    return;
                }
                (Kind::Forged, "the record after it names another one".to_owned())
            }
            None => (
                Kind::Missing,
                "it comes after too many holes to be compared with the records beside it"
                    .to_owned(),
            ),
        };
        let found = Finding { other, ..Finding::at(kind, place, detail) };
        findings.add(found.of(self.id, seq, seq));
    }

    /// This record is the right one, and the one that took its place before is `forged`.
    fn correct(&mut self, first: u64, link: Link, forged: Option<Place>, findings: &mut Findings) {
        let Link { seq, prev, hash, place, .. } = link;
        self.remember(link);
        self.contradicted.remove(&seq);
        self.breaks.remove(&seq.saturating_add(1));
        // What the forged one said of the record before it says nothing any more.
        let before = self.breaks.remove(&seq).and_then(|broken| broken.before);
        let Some(run) = self.runs.get_mut(&first) else { return };
        run.correct(link, self.fingerprints.of(hash));
        let linked = match (prev, run.fingerprint(seq.saturating_sub(1))) {
            (Prev::Hash(prev), Some(known)) => self.fingerprints.of(prev) == known,
            (prev, None) => seq != 1 || prev == Prev::First,
            (prev, Some(_)) => prev == Prev::Unknown,
        };
        if !linked {
            self.breaks.insert(seq, Break { seq, prev, place, before });
        }
        let detail = "the chain goes on from another record with its number";
        let found = match forged {
            Some(forged) => Finding::at(Kind::Forged, forged, detail).see(place),
            None => Finding::nowhere(Kind::Forged, detail),
        };
        findings.add(found.of(self.id, seq, seq));
    }

    /// The first number of the run that has this one.
    fn holds(&self, seq: u64) -> Option<u64> {
        let (first, run) = self.runs.range(..=seq).next_back()?;
        (seq <= run.last.seq).then_some(*first)
    }

    fn remember(&mut self, link: Link) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(link);
    }

    fn report(&mut self, judgements: Vec<Judgement>, findings: &mut Findings) {
        for judgement in judgements {
            match judgement {
                // The record before it may still come.
                Judgement::Broken(broken) if self.breaks.len() < MAX_BREAKS => {
                    self.breaks.insert(broken.seq, broken);
                }
                Judgement::Broken(broken) => self.broken(broken, findings),
                Judgement::Forged { seq, place, hash, right, certain } => {
                    self.contradicted.retain(|_, (other, _)| *other != hash);
                    let detail = if certain {
                        "the chain goes on from another record with its number"
                    } else {
                        "there is another record with its number; which of them is the right one \
                         cannot be told"
                    };
                    let found = Finding::at(Kind::Forged, place, detail).see(right);
                    findings.add(found.of(self.id, seq, seq));
                }
            }
        }
    }

    fn broken(&self, Break { seq, place, .. }: Break, findings: &mut Findings) {
        let detail = "it does not name the hash of the record before it";
        findings.add(Finding::at(Kind::BrokenLink, place, detail).of(self.id, seq, seq));
    }

    /// Too many holes: the first one will not be filled any more.
    fn close_first_hole(&mut self, findings: &mut Findings) {
        let Some((key, mut run)) = self.runs.pop_first() else { return };
        let judgements = run.settle(None, None, &self.fingerprints);
        self.report(judgements, findings);
        if let Some((_, next)) = self.runs.pop_first() {
            self.missing(&run, &next, 0, findings);
            run.absorb(*next);
            self.runs.insert(key, run);
        }
    }

    /// The numbers between two runs.
    fn missing(&self, run: &Run, next: &Run, excused: u64, findings: &mut Findings) {
        let (before, after) = (run.last, next.first);
        let first = before.seq.max(excused).saturating_add(1);
        let last = after.seq.saturating_sub(1);
        for (first, last) in self.without_changed(first, last) {
            let detail = "they come before this line, and are nowhere";
            let found = Finding::at(Kind::Missing, after.place, detail).see(before.place);
            findings.add(found.of(self.id, first, last));
        }
    }

    /// The records of a run before a hole that is excused: nothing else says that no head vouches for them.
    fn unvouched_before_hole(&self, run: &Run, head: &Head, findings: &mut Findings) {
        let last = run.last.seq;
        let first = vouched_to(run, head).map_or(run.first.seq, |last| last.saturating_add(1));
        // For the start of a stream its end speaks, wherever that is.
        if first > last || (first == last && self.starts.has_ended(last)) {
            return;
        }
        let detail = "what comes after them is not in the log, so that no head vouches for them";
        let found = Finding::at(Kind::Unvouched, run.last.place, detail);
        findings.add(found.of(self.id, first, last));
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

    /// Whether every number that must be there is, up to the last that was reported.
    #[must_use]
    pub fn is_whole(&self, head: Option<&Head>) -> bool {
        let reported = head.map_or(0, Head::last);
        let first_expected = head.map_or(0, |head| head.excused).saturating_add(1);
        let reaches =
            self.ends().is_some_and(|(first, last, _)| first <= first_expected && last >= reported);
        reaches && self.runs.len() == 1 && self.changed.is_empty()
    }

    /// The first and the last number of each part that a head vouches for: a head does so for the record
    /// that it names, and through the links for those before it, up to a hole.
    #[must_use]
    pub fn vouched(&self, head: Option<&Head>) -> Vec<(u64, u64)> {
        let Some(head) = head else { return Vec::new() };
        let parts =
            self.runs.values().filter_map(|run| Some((run.first.seq, vouched_to(run, head)?)));
        parts.collect()
    }

    /// The log is over: what is missing now stays missing, but for what was reported before the log
    /// begins ([`Head::excused`]).
    pub fn finish(&mut self, head: Option<&Head>, findings: &mut Findings) {
        let mut runs = std::mem::take(&mut self.runs);
        for run in runs.values_mut() {
            let reported = head.and_then(|head| head.hash(run.last.seq));
            let judgements = run.settle(None, reported, &self.fingerprints);
            self.report(judgements, findings);
        }
        for broken in std::mem::take(&mut self.breaks).into_values() {
            self.broken(broken, findings);
        }
        let excused = head.map_or(0, |head| head.excused);
        if let Some(first) = runs.values().next() {
            let last = first.first.seq.saturating_sub(1);
            for (from, to) in self.without_changed(excused.saturating_add(1), last) {
                let detail = "the chain's first records are not there";
                let place = first.first.place;
                findings.add(Finding::at(Kind::Missing, place, detail).of(self.id, from, to));
            }
        }
        for (run, next) in runs.values().zip(runs.values().skip(1)) {
            self.missing(run, next, excused, findings);
            if let Some(head) = head.filter(|_| next.first.seq <= excused.saturating_add(1)) {
                self.unvouched_before_hole(run, head, findings);
            }
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
            let first = last.max(excused).saturating_add(1);
            for (first, last) in self.without_changed(first, head.last()) {
                let detail = format!("the proxy reported record {last} by {}", head.seen());
                findings.add(Finding::at(Kind::CutTail, place, detail).of(self.id, first, last));
            }
        }
    }
}

/// The run whose last record has this number.
fn run_ending(runs: &mut BTreeMap<u64, Box<Run>>, seq: u64) -> Option<&mut Run> {
    let (_, run) = runs.range_mut(..=seq).next_back()?;
    (run.last.seq == seq).then_some(run)
}

/// The highest number of the run that was reported.
fn vouched_to(run: &Run, head: &Head) -> Option<u64> {
    let (seq, _) = head.hashes.range(run.first.seq..=run.last.seq).next_back()?;
    Some(*seq)
}
