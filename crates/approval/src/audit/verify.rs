//! Checks a log: reads its files, gives every record to its chain, and compares the chains with
//! the heads that proxies reported.

use std::collections::HashMap;

use super::chain::Chain;
use super::digest::ChainId;
use super::files::{CUT, Next, TOO_LONG, Unreadable, broken, damaged, read};
use super::finding::{Class, Finding, Findings, Kind, Place};
use super::heads::Heads;
use super::join::Line;
use super::line::{Finder, Found};
use super::open::Open;
use super::record::{Phase, Record};
use super::source::{Source, in_order};
use super::verdict::{ChainSummary, FileSummary, ShortGrant, Verdict};

/// What is to be checked, and against what.
#[derive(Debug, Default)]
pub struct Check {
    /// How records are found.
    pub finder: Finder,
    /// What the proxies reported.
    pub heads: Option<Heads>,
    /// The log begins here: what is older need not be in it. RFC 3339.
    pub since: Option<String>,
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
    /// Whether it is what was written, as far as it says itself.
    pub intact: bool,
}

struct Checking<'c> {
    heads: Option<&'c Heads>,
    chains: HashMap<ChainId, Chain>,
    open: Open,
    findings: Findings,
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
            heads: self.heads.as_ref(),
            chains: HashMap::new(),
            open: Open::new(sources.len() > 1),
            findings: Findings::default(),
        };
        let mut files: Vec<FileSummary> = sources
            .iter()
            .map(|source| FileSummary { name: source.name(), ..FileSummary::default() })
            .collect();
        let lines = read(&sources, &self.finder, progress, &mut |next| match next {
            Next::Line(line) => checking.joined(&line, &self.finder, &mut files, seen),
            Next::Broken { place, cut } => checking.broken(place, cut),
        })?;
        for (file, lines) in files.iter_mut().zip(lines) {
            file.lines = lines;
        }
        Ok(checking.finish(files, self.since.as_deref()))
    }
}

impl Checking<'_> {
    /// A line as it was written, however many it came as.
    fn joined(
        &mut self,
        line: &Line<'_>,
        finder: &Finder,
        files: &mut [FileSummary],
        seen: &mut dyn FnMut(Seen<'_>),
    ) {
        let records = match line.text {
            Some(text) => self.line(line.place, text, line.whole, finder, seen),
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
        finder: &Finder,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> u64 {
        let mut damage: Option<String> = None;
        let mut records: u64 = 0;
        let found = finder.records(text, &mut |found| match found {
            Found::Record { text, record, intact } => {
                records = records.saturating_add(1);
                seen(Seen { place, text, record, intact });
                if let Err(error) = self.record(place, record, intact) {
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
    fn record(&mut self, place: Place, record: &Record<'_>, intact: bool) -> Result<(), String> {
        let seal = record.seal().map_err(|error| error.to_string())?;
        let Some(seal) = seal else {
            self.open.decided(record, place);
            return Ok(());
        };
        let chain = self.chains.entry(record.chain).or_insert_with(|| Chain::new(record.chain));
        if !intact {
            let detail = "its hash is not that of its text";
            let found = Finding::at(Kind::Changed, place, detail);
            self.findings.add(found.of(record.chain, seal.seq, seal.seq));
            chain.changed(seal.seq);
            // The request had an end, whatever it was.
            self.open.sealed(record);
            return Ok(());
        }
        let head = self.heads.and_then(|heads| heads.chain(record.chain));
        let mut count = 0;
        if let (Phase::End, Some(start)) = (record.phase, record.start)
            && chain.began(start, seal.seq, place, head, &mut self.findings)
        {
            count = 1;
        }
        let ended_at = record.ended_at();
        if chain.sealed(seal, record.phase, place, head, ended_at, &mut self.findings) {
            count = usize::saturating_add(count, 1);
        }
        if let (Some(grant), Some(number)) = (&record.grant, record.grant_seq) {
            for _ in 0..count {
                chain.grants.found(&grant.0, number);
            }
        }
        self.open.sealed(record);
        Ok(())
    }

    fn finish(mut self, files: Vec<FileSummary>, since: Option<&str>) -> Verdict {
        let mut ids: Vec<ChainId> = self.chains.keys().copied().collect();
        ids.sort_unstable();
        let mut chains = Vec::new();
        let mut short = Vec::new();
        for id in ids {
            if let Some(chain) = self.chains.remove(&id) {
                chains.extend(self.chain(id, chain, since, &mut short));
            }
        }
        self.absent(&chains);
        for decided in std::mem::take(&mut self.open).finish() {
            let id = decided.request_id.as_deref().unwrap_or("without an id");
            let detail = format!("request {id} was decided at {} and has no end", decided.time);
            let mut found = Finding::at(Kind::NoEnd, decided.place, detail);
            found.chain = Some(decided.chain);
            self.findings.add(found);
        }
        let as_of = self.heads.and_then(|heads| heads.as_of.clone());
        let findings = self.findings;
        Verdict { files, findings, chains, short, as_of, heads: self.heads.is_some() }
    }

    /// A chain at the end of the log; nothing where no record of it is intact.
    fn chain(
        &mut self,
        id: ChainId,
        mut chain: Chain,
        since: Option<&str>,
        short: &mut Vec<ShortGrant>,
    ) -> Option<ChainSummary> {
        let findings = &mut self.findings;
        let head = self.heads.and_then(|heads| heads.chain(id));
        chain.finish(head, since, findings);
        let (first, last, place) = chain.ends()?;
        let mut unknown = |kind, detail| {
            let mut found = Finding::at(kind, place, detail);
            found.chain = Some(id);
            findings.add(found);
        };
        match (self.heads, head) {
            (None, _) => unknown(Kind::EndUnknown, "without heads nobody knows where it ends"),
            (Some(_), None) => unknown(Kind::UnreportedChain, "no proxy reported it"),
            (Some(_), Some(head)) => {
                for (grant, count) in &head.grants {
                    chain.grants.reported(grant, *count);
                }
            }
        }
        let whole = chain.is_whole(head);
        for missing in chain.grants.short() {
            if whole && since.is_none() {
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
        Some(ChainSummary { id, first, last, records: chain.records, head: head.cloned() })
    }

    /// The chains that were reported, and are nowhere.
    fn absent(&mut self, chains: &[ChainSummary]) {
        let Some(heads) = self.heads else { return };
        let mut absent: Vec<_> = heads
            .chains
            .iter()
            .filter(|(id, _)| chains.iter().all(|chain| chain.id != **id))
            .collect();
        absent.sort_by_key(|(id, _)| **id);
        for (id, head) in absent {
            let detail = format!(
                "node {} began it at {} and reported it until {}",
                head.node, head.began, head.reported_at
            );
            let found = Finding::nowhere(Kind::AbsentChain, detail);
            self.findings.add(found.of(*id, 1, head.last()));
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
