//! The outcome of a check, as JSON and in words.

use serde_json::{Value, json};

use super::digest::ChainId;
use super::finding::{Class, Finding, Findings, Place};
use super::grants::Short;
use super::heads::Head;

/// The version of the form of the JSON.
const VERSION: u32 = 1;

/// What was read, and what was found.
#[derive(Debug)]
pub struct Verdict {
    /// The files, in the order of reading.
    pub files: Vec<FileSummary>,
    /// What was found.
    pub findings: Findings,
    /// The chains of which there is something.
    pub chains: Vec<ChainSummary>,
    /// The grants of which records are missing.
    pub short: Vec<ShortGrant>,
    /// Whether heads were given.
    pub heads: bool,
    /// When they were read from the service.
    pub as_of: Option<String>,
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
    /// What a proxy reported of it.
    pub head: Option<Head>,
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
    /// As JSON, in the form that docs/audit.md describes.
    #[must_use]
    pub fn json(&self) -> Value {
        let sum = |count: fn(&FileSummary) -> u64| {
            self.files.iter().map(count).fold(0, u64::saturating_add)
        };
        json!({
            "v": VERSION,
            "integrity": self.class(Class::Integrity, "ok", "broken"),
            "completeness": self.class(Class::Completeness, "ok", "incomplete"),
            "lines": sum(|file| file.lines),
            "records": sum(|file| file.records),
            "other_lines": sum(|file| file.others),
            "files": self.files.iter().map(FileSummary::json).collect::<Vec<_>>(),
            "chains": self.chains.iter().map(ChainSummary::json).collect::<Vec<_>>(),
            "short_grants": self.short.iter().map(ShortGrant::json).collect::<Vec<_>>(),
            "heads": self.heads.then(|| json!({ "as_of": self.as_of })),
        })
    }

    fn class(&self, class: Class, clean: &str, unclean: &str) -> Value {
        let found = self.findings.of(class);
        json!({
            "verdict": if self.is_clean(class) { clean } else { unclean },
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
            self.headline(Class::Integrity, "integrity", "ok", "BROKEN"),
            self.headline(Class::Completeness, "completeness", "ok", "INCOMPLETE"),
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
        lines.push(match (&self.as_of, self.heads) {
            (Some(as_of), _) => format!("heads         as of {as_of}"),
            (None, true) => "heads         none were reported".to_owned(),
            (None, false) => "heads         not given: --heads tells where chains end".to_owned(),
        });
        let after: u64 = self.chains.iter().map(ChainSummary::after_head).sum();
        if after > 0 {
            lines.push(format!(
                "after heads   {}: only the chain itself speaks for what came after the last report",
                count(after, "record")
            ));
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

    fn headline(&self, class: Class, name: &str, clean: &str, unclean: &str) -> String {
        let counts = self.findings.counts(class);
        let counts: Vec<String> =
            counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        if counts.is_empty() {
            return format!("{name:<14}{clean}");
        }
        format!("{name:<14}{unclean}: {}", counts.join(", "))
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
    /// How many records the log has after the last report.
    #[must_use]
    pub fn after_head(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| self.last.saturating_sub(head.last()))
    }

    fn json(&self) -> Value {
        let head = self.head.as_ref().map(|head| {
            json!({
                "node": head.node, "began": head.began, "seq": head.last(),
                "reported_at": head.reported_at, "ended": head.ended.is_some(),
            })
        });
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
