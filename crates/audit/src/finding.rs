//! What a check finds, by kind, place and chain; bounded, however much was tampered with.

use std::collections::BTreeMap;

use serde::Serialize;

use super::digest::ChainId;

/// How many findings of one kind are listed; the others are counted.
const MAX_LISTED: usize = 1000;

/// Whether something is not as it was written, or not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What is in the log is not what was written, or not in its place.
    Integrity,
    /// Something that was written is not in the log, or nobody can know whether it is.
    Completeness,
    /// What a pipeline does to a log without losing or changing anything. No verdict depends on it.
    Note,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A record whose hash is not that of its text.
    Changed,
    /// Something that was a record and cannot be read as one.
    Damaged,
    /// A record that comes after a later one.
    Reordered,
    /// A record that is there twice.
    Duplicated,
    /// Two different records with one number: this is the one that the chain does not link to.
    Forged,
    /// A record that does not name the hash of the one before it.
    BrokenLink,
    /// A record that is not the one which the proxy reported under this number.
    NotAsReported,
    /// A record after the one that the proxy reported as the chain's last.
    AfterEnd,
    /// A record without a seal that is at odds with the sealed record of its stream.
    Contradicted,
    /// Numbers of a chain that no record has.
    Missing,
    /// The proxy reported more records than the log has.
    CutTail,
    /// A chain that a proxy reported, of which the log has nothing.
    AbsentChain,
    /// A chain that no proxy reported: where it ends, and that a proxy wrote it, is not known.
    UnreportedChain,
    /// No heads were given: where the chain ends is not known.
    EndUnknown,
    /// A request that was decided, or a stream that began, and never ended.
    NoEnd,
    /// A file that ends in the middle of a line or of its compressed data.
    Truncated,
    /// A grant has fewer records than its own numbers say, and no number of the chain is missing.
    GrantShort,
    /// Records that no head vouches for, although there was time to report them.
    Unvouched,
    /// A chain is no longer reported, while another one of the same Envoy process is.
    HeadStale,
    /// A chain is reported by a proxy that it does not belong to, and by no other.
    DisputedHead,
    /// Records that are too young to have been reported.
    NotYetReported,
    /// Reports of a chain by a proxy that it does not belong to, beside those of its own.
    DisputedReport,
    /// Records of chains of other nodes than the one that was asked for.
    OtherNode,
    /// A line that is longer than any that is read: what is in it is not known.
    TooLong,
    /// A line that was split on its way, and put together again.
    Joined,
}

impl Kind {
    /// What it says something about, where the log need not be as its proxies wrote it ([`Findings::new`]).
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Kind::Changed
            | Kind::Damaged
            | Kind::Forged
            | Kind::BrokenLink
            | Kind::NotAsReported
            | Kind::AfterEnd
            | Kind::Contradicted => Class::Integrity,
            Kind::Missing
            | Kind::CutTail
            | Kind::AbsentChain
            | Kind::UnreportedChain
            | Kind::EndUnknown
            | Kind::NoEnd
            | Kind::Truncated
            | Kind::GrantShort
            | Kind::Unvouched
            | Kind::HeadStale
            | Kind::DisputedHead
            | Kind::TooLong => Class::Completeness,
            Kind::Reordered
            | Kind::Duplicated
            | Kind::Joined
            | Kind::NotYetReported
            | Kind::DisputedReport
            | Kind::OtherNode => Class::Note,
        }
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Changed => "changed",
            Kind::Damaged => "damaged",
            Kind::Reordered => "reordered",
            Kind::Duplicated => "duplicated",
            Kind::Forged => "forged",
            Kind::BrokenLink => "broken_link",
            Kind::NotAsReported => "not_as_reported",
            Kind::AfterEnd => "after_end",
            Kind::Contradicted => "contradicted",
            Kind::Missing => "missing",
            Kind::CutTail => "cut_tail",
            Kind::AbsentChain => "absent_chain",
            Kind::UnreportedChain => "unreported_chain",
            Kind::EndUnknown => "end_unknown",
            Kind::NoEnd => "no_end",
            Kind::Truncated => "truncated",
            Kind::GrantShort => "grant_short",
            Kind::Unvouched => "unvouched",
            Kind::HeadStale => "head_stale",
            Kind::DisputedHead => "disputed_head",
            Kind::NotYetReported => "not_yet_reported",
            Kind::DisputedReport => "disputed_report",
            Kind::OtherNode => "other_node",
            Kind::TooLong => "too_long",
            Kind::Joined => "joined",
        }
    }
}

/// A line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the file, in the order of reading.
    pub file: u32,
    /// The line's number, from 1.
    pub line: u64,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// Where; nothing where it is about what is not there at all.
    pub place: Option<Place>,
    /// In which chain.
    pub chain: Option<ChainId>,
    /// The first and the last number that it is about.
    pub numbers: Option<(u64, u64)>,
    /// Another line that has to do with it.
    pub other: Option<Place>,
    /// In words.
    pub detail: String,
}

impl Finding {
    /// Something about a line.
    pub fn at(kind: Kind, place: Place, detail: impl Into<String>) -> Finding {
        Finding { place: Some(place), ..Finding::nowhere(kind, detail) }
    }

    /// Something that is nowhere.
    pub fn nowhere(kind: Kind, detail: impl Into<String>) -> Finding {
        let detail = detail.into();
        Finding { kind, place: None, chain: None, numbers: None, other: None, detail }
    }

    /// The same of these numbers of a chain.
    #[must_use]
    pub fn of(mut self, chain: ChainId, first: u64, last: u64) -> Finding {
        self.chain = Some(chain);
        self.numbers = Some((first, last));
        self
    }

    /// The same, with another line to look at.
    #[must_use]
    pub fn see(mut self, other: Place) -> Finding {
        self.other = Some(other);
        self
    }

    /// How many records it is about.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.numbers.map_or(1, |(first, last)| last.saturating_sub(first).saturating_add(1))
    }
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Findings {
    strict: bool,
    listed: BTreeMap<Kind, Vec<Finding>>,
    counts: BTreeMap<Kind, u64>,
}

impl Findings {
    /// Nothing yet. `strict`: the log is the file that the proxy wrote, as it wrote it, so copies of lines,
    /// another order and lines that were split are breaches of its integrity.
    #[must_use]
    pub fn new(strict: bool) -> Findings {
        Findings { strict, ..Findings::default() }
    }

    fn class(&self, kind: Kind) -> Class {
        match kind {
            Kind::Reordered | Kind::Duplicated | Kind::Joined if self.strict => Class::Integrity,
            other => other.class(),
        }
    }

    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        self.add_times(finding, 1);
    }

    /// Adds one that stands for this many.
    pub fn add_times(&mut self, finding: Finding, times: u64) {
        let count = self.counts.entry(finding.kind).or_default();
        *count = count.saturating_add(times);
        let listed = self.listed.entry(finding.kind).or_default();
        if listed.len() < MAX_LISTED {
            listed.push(finding);
        }
    }

    /// Those of a class, in the order of their places.
    #[must_use]
    pub fn of(&self, class: Class) -> Vec<&Finding> {
        let listed = self.listed.iter().filter(|(kind, _)| self.class(**kind) == class);
        let mut found: Vec<&Finding> = listed.flat_map(|(_, found)| found).collect();
        // What has no place comes last.
        found.sort_by_key(|found| (found.place.is_none(), found.place, found.chain));
        found
    }

    /// How many there are of each kind of a class, those that are not listed included.
    #[must_use]
    pub fn counts(&self, class: Class) -> BTreeMap<&'static str, u64> {
        let counts = self.counts.iter().filter(|(kind, _)| self.class(**kind) == class);
        counts.map(|(kind, count)| (kind.word(), *count)).collect()
    }

    /// Whether there is none of a class.
    #[must_use]
    pub fn none(&self, class: Class) -> bool {
        self.counts.keys().all(|kind| self.class(*kind) != class)
    }
}
