//! Checks a log: reads its files, gives every record to its chain, and compares the chains with
//! the heads that proxies reported.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::chain::Chain;
use super::digest::ChainId;
use super::files::{CUT, Next, TOO_LONG, Unreadable, broken, damaged, read};
use super::finding::{Class, Finding, Findings, Kind, Place};
use super::heads::Heads;
use super::join::Line;
use super::line::{Finder, Found};
use super::open::Open;
use super::record::{Phase, Record};
use super::run::Fingerprints;
use super::source::{Source, in_order};
use super::verdict::{ChainSummary, FileSummary, HeadsSummary, LastHead, ShortGrant, Verdict};
use crate::moment::{Moment, rfc3339};

/// How long a chain of a living VM is silent at most: three times what the filter repeats its head after,
/// in milliseconds.
const SILENCE_MS: i64 = 3 * 60 * 1000;

/// How long after a record was written it must have been reported, unless something else is asked for.
pub const UNVOUCHED_AFTER: Duration = Duration::from_secs(10);

/// What is to be checked, and against what.
#[derive(Debug)]
pub struct Check {
    /// How records are found.
    pub finder: Finder,
    /// What the proxies reported.
    pub heads: Option<Heads>,
    /// Whether the log must be as its proxies wrote it: without copies, and in their order.
    pub strict: bool,
    /// How long after a record was written it must have been reported.
    pub unvouched_after: Duration,
    /// When it is checked: how old the heads are.
    pub now: Option<Moment>,
}

impl Default for Check {
    fn default() -> Check {
        Check {
            finder: Finder::default(),
            heads: None,
            strict: false,
            unvouched_after: UNVOUCHED_AFTER,
            now: None,
        }
    }
}

/// A record of the log.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Where it is.
    pub place: Place,
    /// Its text.
    pub text: &'a str,
    /// What it says.
    pub record: &'a Record<'a>,
    /// Whether it is what was written, as far as it says itself: true of one without a seal.
    pub intact: bool,
}

struct Checking<'c> {
    check: &'c Check,
    fingerprints: Fingerprints,
    chains: HashMap<ChainId, Chain>,
    open: Open,
    findings: Findings,
    /// How many records were judged.
    checked: u64,
}

impl Check {
    /// Checks these files. `progress` is told how many bytes were read, `seen` of every record.
    ///
    /// # Errors
    /// Which file cannot be read, and why.
    pub fn run(
        &self,
        sources: Vec<Source>,
        progress: &dyn Fn(u64),
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<Verdict, Unreadable> {
        let sources =
            in_order(sources, &self.finder).map_err(|(name, error)| Unreadable { name, error })?;
        let mut checking = Checking {
            check: self,
            fingerprints: Fingerprints::default(),
            chains: HashMap::new(),
            open: Open::default(),
            findings: Findings::new(self.strict),
            checked: 0,
        };
        let mut files: Vec<FileSummary> = sources
            .iter()
            .map(|source| FileSummary { name: source.name(), ..FileSummary::default() })
            .collect();
        let lines = read(&sources, &self.finder, progress, &mut |next| match next {
            Next::Line(line) => checking.joined(&line, &mut files, seen),
            Next::Broken { place, cut } => checking.broken(place, cut),
        })?;
        for (file, lines) in files.iter_mut().zip(lines) {
            file.lines = lines;
        }
        checking.look_back(&sources)?;
        Ok(checking.finish(files))
    }
}

impl Check {
    /// Whether there was time to report this record before the heads were read. When it was written, it says
    /// itself: one from the future is no younger for it.
    fn is_old(&self, record: &Record<'_>, heads: &Heads) -> bool {
        let (written_at, judged_at) = (record.written_at(), heads.judged_at());
        let (Some(written_at), Some(judged_at)) = (written_at, judged_at) else { return true };
        let wait = i64::try_from(self.unvouched_after.as_millis()).unwrap_or(i64::MAX);
        let is_ahead = |now: Moment| written_at > now.millis().saturating_add(wait);
        written_at.saturating_add(wait) < judged_at.millis() || self.now.is_some_and(is_ahead)
    }
}

fn file_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Checking<'_> {
    fn heads(&self) -> Option<&Heads> {
        self.check.heads.as_ref()
    }

    /// The decisions whose ends may have been read before them: a log need not be in its order.
    fn look_back(&mut self, sources: &[Source]) -> Result<(), Unreadable> {
        if self.open.is_empty() {
            return Ok(());
        }
        // What came from a pipe is gone.
        let again = sources.iter().enumerate().filter(|(_, source)| **source != Source::Stdin);
        let (files, again): (Vec<u32>, Vec<Source>) =
            again.map(|(index, source)| (file_number(index), source.clone())).unzip();
        let finder = &self.check.finder;
        read(&again, finder, &|_| (), &mut |next| {
            let Next::Line(Line { place, text: Some(text), .. }) = next else { return };
            let index = usize::try_from(place.file).unwrap_or(usize::MAX);
            let file = files.get(index).copied().unwrap_or(place.file);
            let place = Place { file, ..place };
            finder.records(text, &mut |found| {
                if let Found::Record { text, record, intact } = found
                    && record.phase != Phase::Decision
                {
                    self.sealed(record, text, intact, place);
                }
            });
        })?;
        Ok(())
    }

    /// A line as it was written, however many it came as.
    fn joined(
        &mut self,
        line: &Line<'_>,
        files: &mut [FileSummary],
        seen: &mut dyn FnMut(Seen<'_>),
    ) {
        let records = match line.text {
            Some(text) => self.line(line.place, text, line.whole, seen),
            None => {
                self.findings.add(Finding::at(Kind::TooLong, line.place, TOO_LONG));
                0
            }
        };
        if line.parts > 1 && records > 0 {
            let detail = format!("it was split into {} lines on its way", line.parts);
            let found = Finding::at(Kind::Joined, line.place, detail);
            self.findings.add(found.see(line.last));
        }
        let index = usize::try_from(line.place.file).unwrap_or(usize::MAX);
        if let Some(summary) = files.get_mut(index) {
            summary.records = summary.records.saturating_add(records);
            let others = if records == 0 { line.parts } else { 0 };
            summary.others = summary.others.saturating_add(others);
        }
    }

    /// Compressed data that ends before its end.
    fn broken(&mut self, place: Place, cut: bool) {
        let kind = if cut { Kind::Truncated } else { Kind::Damaged };
        self.findings.add(Finding::at(kind, place, broken(cut)));
    }

    /// A line. Returns how many records it has.
    fn line(
        &mut self,
        place: Place,
        text: &str,
        whole: bool,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> u64 {
        let mut damage: Option<String> = None;
        let mut records: u64 = 0;
        let finder = &self.check.finder;
        let found = finder.records(text, &mut |found| match found {
            Found::Record { text, record, intact } => {
                records = records.saturating_add(1);
                seen(Seen { place, text, record, intact });
                if let Err(error) = self.record(place, text, record, intact) {
                    self.findings.add(Finding::at(Kind::Damaged, place, error));
                }
            }
            Found::Damaged(error) => damage = Some(error),
        });
        let cut = damage.is_some()
            || (found == 0 && text.starts_with('{') && serde_json::from_str::<Any>(text).is_err());
        if !whole && cut {
            self.findings.add(Finding::at(Kind::Truncated, place, CUT));
        } else if let Some(error) = damage {
            self.findings.add(Finding::at(Kind::Damaged, place, damaged(&error)));
        }
        records
    }

    /// A record, or why a filter would not have written it.
    fn record(
        &mut self,
        place: Place,
        text: &str,
        record: &Record<'_>,
        intact: bool,
    ) -> Result<(), String> {
        let seal = record.seal().map_err(|error| error.to_string())?;
        if self.heads().is_some_and(|heads| heads.is_elsewhere(record.chain)) {
            let detail = "it is of a chain of another node";
            self.findings.add(Finding::at(Kind::OtherNode, place, detail));
            return Ok(());
        }
        self.checked = self.checked.saturating_add(1);
        let Some(seal) = seal else {
            self.open.decided(record, text, place);
            return Ok(());
        };
        let heads = self.check.heads.as_ref();
        let head = heads.and_then(|heads| heads.chain(record.chain));
        let fingerprints = &self.fingerprints;
        let chain = self
            .chains
            .entry(record.chain)
            .or_insert_with(|| Chain::new(record.chain, head, fingerprints.clone()));
        if !intact {
            let detail = "its hash is not that of its text";
            let found = Finding::at(Kind::Changed, place, detail);
            self.findings.add(found.of(record.chain, seal.seq, seal.seq));
            chain.changed(seal.seq);
            self.sealed(record, text, intact, place);
            return Ok(());
        }
        let mut count = 0;
        if let (Phase::End, Some(start)) = (record.phase, record.start)
            && chain.began(start, seal.seq, place, head, &mut self.findings)
        {
            count = 1;
        }
        let ended_at = record.ended_at();
        if chain.sealed(seal, record.phase, place, head, ended_at, &mut self.findings) {
            count = usize::saturating_add(count, 1);
            if let Some(heads) = heads
                && head.is_none_or(|head| seal.seq > head.last())
            {
                let is_old = self.check.is_old(record, heads);
                chain.unvouched.add(seal.seq, place, is_old);
                if let (Some(removed), Some(written_at)) =
                    (heads.removed_before, record.written_at())
                    && written_at < removed.millis()
                {
                    chain.unvouched.forgotten(removed);
                }
            }
        }
        if let (Some(grant), Some(number)) = (&record.grant, record.grant_seq) {
            for _ in 0..count {
                chain.grants.found(&grant.0, number);
            }
        }
        self.sealed(record, text, intact, place);
        Ok(())
    }

    /// A record with a seal: what was decided before it has ended, and must agree with it.
    fn sealed(&mut self, record: &Record<'_>, text: &str, intact: bool, place: Place) {
        if !intact {
            self.open.ended(record);
            return;
        }
        for found in self.open.sealed(record, text, place) {
            self.findings.add(found);
        }
    }

    fn finish(mut self, files: Vec<FileSummary>) -> Verdict {
        let mut ids: Vec<ChainId> = self.chains.keys().copied().collect();
        ids.sort_unstable();
        let mut chains = Vec::new();
        let mut short = Vec::new();
        for id in ids {
            if let Some(chain) = self.chains.remove(&id) {
                chains.extend(self.chain(id, chain, &mut short));
            }
        }
        if let Some(heads) = self.check.heads.as_ref() {
            self.absent(heads, &chains);
            self.stale(heads);
            self.disputed(heads);
        }
        for decided in std::mem::take(&mut self.open).finish() {
            let id = decided.request_id.as_deref().unwrap_or("without an id");
            let detail = format!(
                "request {id} was decided at {} and has no end; nothing proves it",
                decided.time
            );
            let mut found = Finding::at(Kind::NoEnd, decided.place, detail);
            found.chain = Some(decided.chain);
            self.findings.add(found);
        }
        let heads = self.heads().map(|heads| HeadsSummary::new(heads, self.check.now));
        let (findings, checked) = (self.findings, self.checked);
        Verdict { files, findings, chains, short, heads, checked }
    }

    /// A chain at the end of the log; nothing where no record of it is intact.
    fn chain(
        &mut self,
        id: ChainId,
        mut chain: Chain,
        short: &mut Vec<ShortGrant>,
    ) -> Option<ChainSummary> {
        let heads = self.check.heads.as_ref();
        let findings = &mut self.findings;
        let head = heads.and_then(|heads| heads.chain(id));
        chain.finish(head, findings);
        let (first, last, place) = chain.ends()?;
        match heads {
            None => {
                let detail = "without heads it is not known where the chain ends";
                let found = Finding::at(Kind::EndUnknown, place, detail);
                findings.add(Finding { chain: Some(id), ..found });
            }
            Some(_) => chain.unvouched.tell(head, place, findings),
        }
        for (grant, count) in head.map(|head| &head.grants).into_iter().flatten() {
            chain.grants.reported(grant, *count);
        }
        let whole = chain.is_whole(head);
        for missing in chain.grants.short() {
            if whole {
                let detail = format!(
                    "grant {}: {} of {} records, and no number is missing",
                    missing.grant, missing.found, missing.expected
                );
                let mut found = Finding::at(Kind::GrantShort, place, detail);
                found.chain = Some(id);
                findings.add(found);
            }
            short.push(ShortGrant { chain: id, short: missing });
        }
        let (records, vouched) = (chain.records, chain.vouched(head));
        let head = head.map(LastHead::new);
        Some(ChainSummary { id, first, last, records, head, vouched })
    }

    /// The chains that were reported, and are nowhere.
    fn absent(&mut self, heads: &Heads, chains: &[ChainSummary]) {
        let there: HashSet<ChainId> = chains.iter().map(|chain| chain.id).collect();
        for (id, head) in heads.expected() {
            if there.contains(&id) || !head.asks_for_records() {
                continue;
            }
            let detail = format!(
                "{} began it on node {} at {} and reported it until {}",
                head.reporter,
                head.node,
                head.began,
                head.seen(),
            );
            let found = Finding::nowhere(Kind::AbsentChain, detail);
            self.findings.add(found.of(id, head.excused.saturating_add(1), head.last()));
        }
    }

    /// The chains that fell silent.
    fn stale(&mut self, heads: &Heads) {
        for (id, head, newest) in heads.stale(SILENCE_MS) {
            let detail = format!(
                "node {} reported it last at {}, and another chain of the same Envoy process at {}: its VM \
                 ended without a word, or its reports were held back",
                head.node,
                head.seen(),
                rfc3339(newest.seconds()),
            );
            let found = Finding::nowhere(Kind::HeadStale, detail);
            self.findings.add(Finding { chain: Some(id), ..found });
        }
    }

    /// What proxies reported of chains that are not theirs.
    fn disputed(&mut self, heads: &Heads) {
        for (id, disputed) in heads.disputed() {
            if heads.is_elsewhere(id) {
                continue;
            }
            let own = heads.chain(id);
            let owner = own.map(|head| &head.reporter).or(disputed.owner.as_ref());
            let detail = format!(
                "{} reported it up to record {}, and it belongs to {}",
                disputed.reporter,
                disputed.last,
                owner.map_or("another proxy", String::as_str),
            );
            let kind = if own.is_some() { Kind::DisputedReport } else { Kind::DisputedHead };
            let found = Finding::nowhere(kind, detail);
            self.findings.add_times(Finding { chain: Some(id), ..found }, disputed.reports);
        }
    }
}

/// Any JSON.
type Any = serde::de::IgnoredAny;

impl Verdict {
    /// Whether nothing was found of this class.
    #[must_use]
    pub fn is_clean(&self, class: Class) -> bool {
        self.findings.none(class)
    }
}
