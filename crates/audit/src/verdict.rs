//! The outcome of a check, as JSON and in words.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::configurations;
use super::digest::{ChainId, Digest};
use super::finding::{Class, Finding, Findings, Place};
use super::grants::Short;
use super::heads::{Head, Heads, Proof};
use crate::moment::{Moment, rfc3339};

/// The version of the form of the JSON.
const VERSION: u32 = 1;

/// What was read, and what was found.
#[derive(Debug)]
pub struct Verdict {
    /// The files, in the order of reading.
    pub files: Vec<FileSummary>,
    /// What was found.
    pub findings: Findings,
    /// The chains of which there is something, by id.
    pub chains: Vec<ChainSummary>,
    /// The grants of which records are missing.
    pub short: Vec<ShortGrant>,
    /// The heads that it was compared with.
    pub heads: Option<HeadsSummary>,
    /// How many records were judged.
    pub checked: u64,
}

/// What the verdict rests on beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadsSummary {
    /// When they were read from the service.
    pub as_of: Option<String>,
    /// When the newest of them was last reported.
    pub newest: Option<Moment>,
    /// How old that is now, in seconds.
    pub age_s: Option<i64>,
    /// Whether a head asks for a record.
    pub asks_for_records: bool,
    /// Of what was reported before this, one head an hour is kept.
    pub thinned_before: Option<Moment>,
    /// What was reported before this is not kept.
    pub removed_before: Option<Moment>,
}

impl HeadsSummary {
    /// The summary of these, at this moment.
    #[must_use]
    pub fn new(heads: &Heads, now: Option<Moment>) -> HeadsSummary {
        let newest = heads.newest();
        let age =
            now.zip(newest).map(|(now, newest)| now.seconds().saturating_sub(newest.seconds()));
        HeadsSummary {
            as_of: heads.as_of.clone(),
            newest,
            age_s: age.map(|age| age.max(0)),
            asks_for_records: heads.expected().iter().any(|(_, head)| head.asks_for_records()),
            thinned_before: heads.thinned_before,
            removed_before: heads.removed_before,
        }
    }

    fn json(&self) -> Value {
        let newest = self.newest.map(|newest| rfc3339(newest.seconds()));
        let instant = |moment: Option<Moment>| moment.map(|moment| rfc3339(moment.seconds()));
        json!({
            "as_of": self.as_of, "newest": newest, "newest_age_s": self.age_s,
            "thinned_before": instant(self.thinned_before),
            "removed_before": instant(self.removed_before),
        })
    }

    fn text(&self) -> String {
        let kept = |what: &str, before: Option<Moment>| {
            before.map(|before| format!("; {what} from before {}", rfc3339(before.seconds())))
        };
        let retention = [
            kept("one an hour is kept", self.thinned_before),
            kept("none is kept", self.removed_before),
        ];
        let retention: String = retention.into_iter().flatten().collect();
        format!("{}{retention}", self.when())
    }

    fn when(&self) -> String {
        let as_of = self.as_of.as_deref().unwrap_or("an unknown time");
        let Some(newest) = self.newest else { return format!("as of {as_of}: none were reported") };
        let newest = rfc3339(newest.seconds());
        match self.age_s {
            Some(age) => {
                let age =
                    humantime::format_duration(std::time::Duration::from_secs(age.unsigned_abs()));
                format!("as of {as_of}; the newest was reported at {newest}, {age} ago")
            }
            None => format!("as of {as_of}; the newest was reported at {newest}"),
        }
    }
}

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Nothing was changed, and nothing is missing.
    Ok,
    /// Something is not what was written.
    Broken,
    /// Something is missing, or it cannot be known whether anything is.
    Incomplete,
    /// Both.
    BrokenAndIncomplete,
    /// There was no record to judge, and none was asked for.
    NothingChecked,
}

/// What a file has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSummary {
    /// Its name.
    pub name: String,
    /// Its lines.
    pub lines: u64,
    /// The records in them.
    pub records: u64,
    /// Lines without a record.
    pub others: u64,
}

/// A chain as it is in the log.
#[derive(Debug, Clone)]
pub struct ChainSummary {
    /// Its id.
    pub id: ChainId,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// How many intact records with a number the log has, copies included.
    pub records: u64,
    /// The last that its proxy reported of it.
    pub head: Option<LastHead>,
    /// The first and the last number of each part that a head vouches for.
    pub vouched: Vec<(u64, u64)>,
}

/// The last that a proxy reported of one of its chains.
#[derive(Debug, Clone)]
pub struct LastHead {
    /// The number of the last record.
    pub seq: u64,
    /// How it is known that the chain is its reporter's.
    pub proof: Proof,
    /// The digests of the configurations that its reporter named for it.
    pub configurations: BTreeSet<Digest>,
    json: Value,
}

impl LastHead {
    /// The last of these reports.
    #[must_use]
    pub fn new(head: &Head) -> LastHead {
        let seq = head.last();
        let json = json!({
            "node": head.node, "began": head.began, "seq": seq, "reported_at": head.seen(),
            "ended": head.ended.is_some(), "reporter": head.reporter, "proof": head.proof.word(),
            "process": head.process, "configurations": head.configurations,
        });
        LastHead { seq, proof: head.proof, configurations: head.configurations.clone(), json }
    }
}

/// A grant of which records are missing in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortGrant {
    /// The chain.
    pub chain: ChainId,
    /// The grant, and how many.
    pub short: Short,
}

impl Verdict {
    /// The verdict in one word. Where nothing was judged, nothing is said to be in order.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        let asked = self.heads.as_ref().is_some_and(|heads| heads.asks_for_records);
        match (self.is_clean(Class::Integrity), self.is_clean(Class::Completeness)) {
            (true, _) if self.checked == 0 && !asked => Conclusion::NothingChecked,
            (true, true) => Conclusion::Ok,
            (false, true) => Conclusion::Broken,
            (true, false) => Conclusion::Incomplete,
            (false, false) => Conclusion::BrokenAndIncomplete,
        }
    }

    /// What the log has of this chain.
    #[must_use]
    pub fn chain(&self, id: ChainId) -> Option<&ChainSummary> {
        // They are in the order of their ids.
        let index = self.chains.binary_search_by_key(&id, |chain| chain.id).ok()?;
        self.chains.get(index)
    }

    /// As JSON, in the form that docs/audit.md describes.
    #[must_use]
    pub fn json(&self) -> Value {
        let sum = |count: fn(&FileSummary) -> u64| {
            self.files.iter().map(count).fold(0, u64::saturating_add)
        };
        json!({
            "v": VERSION,
            "verdict": self.conclusion(),
            "integrity": self.class(Class::Integrity, "broken"),
            "completeness": self.class(Class::Completeness, "incomplete"),
            "notes": self.notes(),
            "checked": self.checked,
            "lines": sum(|file| file.lines),
            "records": sum(|file| file.records),
            "other_lines": sum(|file| file.others),
            "files": self.files.iter().map(FileSummary::json).collect::<Vec<_>>(),
            "chains": self.chains.iter().map(ChainSummary::json).collect::<Vec<_>>(),
            "short_grants": self.short.iter().map(ShortGrant::json).collect::<Vec<_>>(),
            "heads": self.heads.as_ref().map(HeadsSummary::json),
        })
    }

    fn class(&self, class: Class, unclean: &str) -> Value {
        let mut value = self.listed(class);
        if let Value::Object(members) = &mut value {
            members.insert("verdict".to_owned(), self.word(class, unclean).into());
        }
        value
    }

    /// The word for one of the two questions.
    fn word<'w>(&self, class: Class, unclean: &'w str) -> &'w str {
        match self.is_clean(class) {
            false => unclean,
            true if self.conclusion() == Conclusion::NothingChecked => "nothing_checked",
            true => "ok",
        }
    }

    fn notes(&self) -> Value {
        self.listed(Class::Note)
    }

    fn listed(&self, class: Class) -> Value {
        let found = self.findings.of(class);
        json!({
            "counts": self.findings.counts(class),
            "findings": found.iter().map(|found| self.finding(found)).collect::<Vec<_>>(),
        })
    }

    fn finding(&self, found: &Finding) -> Value {
        let place = |place: Place| json!({ "file": self.file(place), "line": place.line });
        json!({
            "kind": found.kind,
            "file": found.place.map(|place| self.file(place)),
            "line": found.place.map(|place| place.line),
            "chain": found.chain,
            "seq": found.numbers.map(|(first, _)| first),
            "last_seq": found.numbers.map(|(_, last)| last),
            "other": found.other.map(place),
            "detail": found.detail,
        })
    }

    fn file(&self, place: Place) -> &str {
        let index = usize::try_from(place.file).unwrap_or(usize::MAX);
        self.files.get(index).map_or("", |file| file.name.as_str())
    }

    /// In words: the two verdicts, what was read, and a line for each finding.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![
            self.headline(Class::Integrity, "integrity", "BROKEN"),
            self.headline(Class::Completeness, "completeness", "INCOMPLETE"),
        ];
        let sum = |count: fn(&FileSummary) -> u64| {
            self.files.iter().map(count).fold(0, u64::saturating_add)
        };
        lines.push(format!(
            "read          {} in {}, {} without a record, {}",
            count(sum(|file| file.records), "record"),
            count(sum(|file| file.lines), "line"),
            sum(|file| file.others),
            count(u64::try_from(self.chains.len()).unwrap_or(u64::MAX), "chain"),
        ));
        lines.push(match &self.heads {
            Some(heads) => format!("heads         {}", heads.text()),
            None => "heads         not given: --heads tells where chains end".to_owned(),
        });
        let heads = self.chains.iter().filter_map(|chain| chain.head.as_ref());
        lines.extend(configurations::line(heads.map(|head| &head.configurations)));
        let notes = self.findings.counts(Class::Note);
        if !notes.is_empty() {
            let notes: Vec<String> =
                notes.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            lines.push(format!("notes         {}", notes.join(", ")));
        }
        if self.conclusion() == Conclusion::NothingChecked {
            lines.push(
                "nothing was checked: no record was found (see --key, --node and the files' names), \
                 and no head asks for one"
                    .to_owned(),
            );
        }
        for class in [Class::Integrity, Class::Completeness] {
            lines.extend(self.findings.of(class).into_iter().map(|found| self.line(found)));
        }
        for ShortGrant { chain, short } in &self.short {
            lines.push(format!(
                "grant {}: {} of {} records in chain {chain}",
                short.grant, short.found, short.expected
            ));
        }
        lines.join("\n")
    }

    fn headline(&self, class: Class, name: &str, unclean: &str) -> String {
        let counts = self.findings.counts(class);
        let counts: Vec<String> =
            counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let word = self.word(class, unclean);
        if counts.is_empty() {
            return format!("{name:<14}{word}");
        }
        format!("{name:<14}{word}: {}", counts.join(", "))
    }

    fn line(&self, found: &Finding) -> String {
        let place = match found.place {
            Some(place) => format!("{}:{}", self.file(place), place.line),
            None => "-".to_owned(),
        };
        let mut line = format!("{place}: {}", found.kind.word());
        if let Some(chain) = found.chain {
            line = format!("{line}: chain {chain}");
        }
        line = match found.numbers {
            Some((first, last)) if first == last => format!("{line} record {first}"),
            Some((first, last)) => {
                format!("{line} records {first} to {last} ({})", found.count())
            }
            None => line,
        };
        line = format!("{line}: {}", found.detail);
        if let Some(other) = found.other {
            line = format!("{line} (see {}:{})", self.file(other), other.line);
        }
        line
    }
}

impl FileSummary {
    fn json(&self) -> Value {
        json!({
            "file": self.name, "lines": self.lines, "records": self.records,
            "other_lines": self.others,
        })
    }
}

impl ChainSummary {
    /// Whether a head vouches for the record with this number, through the records between the two.
    #[must_use]
    pub fn vouches_for(&self, seq: u64) -> bool {
        let after = self.vouched.partition_point(|(first, _)| *first <= seq);
        let part = after.checked_sub(1).and_then(|index| self.vouched.get(index));
        part.is_some_and(|(_, last)| seq <= *last)
    }

    /// How many records the log has after the last report.
    #[must_use]
    pub fn after_head(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| self.last.saturating_sub(head.seq))
    }

    fn json(&self) -> Value {
        let head = self.head.as_ref().map(|head| &head.json);
        json!({
            "chain": self.id, "first_seq": self.first, "last_seq": self.last,
            "records": self.records, "head": head, "after_head": self.after_head(),
        })
    }
}

impl ShortGrant {
    fn json(&self) -> Value {
        json!({
            "chain": self.chain, "grant": self.short.grant, "found": self.short.found,
            "expected": self.short.expected,
        })
    }
}

fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
