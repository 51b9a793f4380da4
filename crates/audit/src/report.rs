//! The evidence of one grant, incident or person: what was asked for and approved, every call with
//! its outcome, and whether the log can be believed.
//!
//! An incident and a person are found in every spelling of the name: `look_alikes` lists the others. A grant's id
//! is compared byte for byte.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::other_rules::{line, other_rules};
use super::proof::{Candidate, FIRST_REPORT, PROVEN, Proofs, SEALED, UNPROVEN};
use super::spelling::Spelling;
use super::trail;
use super::verdict::Verdict;
use super::verify::Seen;
use crate::text::harmless_json;

/// The version of the form of the JSON.
const VERSION: u32 = 1;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A grant, by its id.
    Grant(String),
    /// An incident.
    Incident(String),
    /// A person.
    Subject(String),
}

impl About {
    /// The member of a record that says it, which is also the name in a query.
    #[must_use]
    pub fn member(&self) -> &'static str {
        match self {
            About::Grant(_) => "grant",
            About::Incident(_) => "incident",
            About::Subject(_) => "subject",
        }
    }

    /// Which one.
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            About::Grant(value) | About::Incident(value) | About::Subject(value) => value,
        }
    }
}

/// A call: a record of the log that is about it.
#[derive(Debug, Clone)]
struct Call {
    record: Value,
    candidate: Candidate,
    /// What is known of it, in a word.
    proof: &'static str,
}

/// Collects the calls while the log is read.
#[derive(Debug)]
pub struct Collector {
    about: About,
    /// For a name; a grant's id has one spelling.
    spelling: Option<Spelling>,
    calls: Vec<Call>,
}

impl Collector {
    /// Nothing yet.
    #[must_use]
    pub fn new(about: About) -> Collector {
        let spelling = match &about {
            About::Grant(_) => None,
            About::Incident(name) | About::Subject(name) => {
                Some(Spelling::new(about.member(), name))
            }
        };
        Collector { about, spelling, calls: Vec::new() }
    }

    /// A record of the log.
    pub fn seen(&mut self, seen: &Seen<'_>) {
        let record = match &mut self.spelling {
            Some(spelling) => spelling.record(seen.text),
            None => self.of_grant(seen.text),
        };
        if let Some(record) = record {
            let (place, chain, seq) = (seen.place, seen.record.chain, seen.record.seq);
            let candidate = Candidate { place, chain, seq, intact: seen.intact };
            self.calls.push(Call { record, candidate, proof: UNPROVEN });
        }
    }

    fn of_grant(&self, text: &str) -> Option<Value> {
        // Most records are about something else: this is far cheaper than to take them apart.
        let value = Value::from(self.about.value()).to_string();
        memchr::memmem::find(text.as_bytes(), value.as_bytes())?;
        let record: Value = serde_json::from_str(text).ok()?;
        let named = record.get(self.about.member()).and_then(Value::as_str);
        (named == Some(self.about.value())).then_some(record)
    }

    /// The report. `requests` is what the approval service says, `now` RFC 3339.
    #[must_use]
    pub fn finish(self, verdict: &Verdict, requests: Option<Vec<Value>>, now: &str) -> Report {
        let proofs = Proofs::new(verdict);
        let mut calls = self.calls;
        for call in &mut calls {
            call.proof = proofs.word(call.candidate);
        }
        let mut calls = once(calls);
        calls.sort_by(|left, right| text(left, "time").cmp(text(right, "time")));
        let about = json!({ self.about.member(): self.about.value() });
        let files: Vec<&str> = verdict.files.iter().map(|file| file.name.as_str()).collect();
        let records = || calls.iter().map(|call| &call.record);
        let comparison =
            requests.as_deref().map(|requests| trail::against_trail(records(), requests));
        let listed: Vec<Value> = calls.iter().map(|call| call.json(&files)).collect();
        Report(json!({
            "v": VERSION,
            "generated_at": now,
            "about": about,
            "look_alikes": look_alikes(self.spelling.as_ref(), &self.about, &calls, requests.as_deref()),
            "nothing_found": calls.is_empty() && requests.as_ref().is_none_or(Vec::is_empty),
            "requests": requests,
            "summary": summary(&calls),
            "other_rules": other_rules(records()),
            "trail_comparison": comparison,
            "calls": listed,
            "check": verdict.json(),
        }))
    }
}

/// The other spellings of the name.
fn look_alikes(
    spelling: Option<&Spelling>,
    about: &About,
    calls: &[Call],
    requests: Option<&[Value]>,
) -> Vec<Value> {
    let Some(spelling) = spelling else { return Vec::new() };
    let in_request = match about {
        About::Incident(_) => "/request/incident",
        About::Grant(_) | About::Subject(_) => "/request/requester",
    };
    let requests = requests.unwrap_or_default().iter();
    let requests = requests.filter_map(|entry| entry.pointer(in_request)?.as_str());
    let found = spelling.look_alikes(calls.iter().map(|call| text(call, about.member())), requests);
    found
        .into_iter()
        .map(|(name, [calls, requests])| {
            json!({ "name": name, "calls": calls, "requests": requests })
        })
        .collect()
}

/// Each call once: without copies, and without what was written before its end. What was found to be
/// wrong is never left out, and never stands for another one.
fn once(calls: Vec<Call>) -> Vec<Call> {
    let key = |call: &Call| {
        let part = |name| call.record.get(name).cloned().unwrap_or_default().to_string();
        [part("chain"), part("stream")]
    };
    let is_end = |call: &Call| text(call, "phase") == "end";
    let believed = |call: &Call| [PROVEN, FIRST_REPORT, SEALED].contains(&call.proof);
    let ends = calls.iter().filter(|call| is_end(call) && believed(call));
    let ended: HashSet<[String; 2]> = ends.map(key).collect();
    let mut seen = HashSet::new();
    calls
        .into_iter()
        .filter(|call| {
            let replaced = !is_end(call) && ended.contains(&key(call));
            !replaced || !(believed(call) || call.proof == UNPROVEN)
        })
        .filter(|call| seen.insert(call.record.to_string()))
        .collect()
}

fn text<'c>(call: &'c Call, name: &str) -> &'c str {
    call.record.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Call {
    fn json(&self, files: &[&str]) -> Value {
        let Candidate { place, intact, seq, .. } = self.candidate;
        let index = usize::try_from(place.file).unwrap_or(usize::MAX);
        json!({
            "file": files.get(index), "line": place.line, "intact": intact && seq.is_some(),
            "proof": self.proof, "record": self.record,
        })
    }
}

fn summary(calls: &[Call]) -> Value {
    let mut decisions: BTreeMap<String, u64> = BTreeMap::new();
    for call in calls {
        let count = decisions.entry(text(call, "decision").to_owned()).or_default();
        *count = count.saturating_add(1);
    }
    let sum = |name: &str| {
        let numbers = calls.iter().filter_map(|call| call.record.get(name)?.as_u64());
        numbers.fold(0, u64::saturating_add)
    };
    let mut proofs: BTreeMap<&str, u64> = BTreeMap::new();
    for call in calls {
        let count = proofs.entry(call.proof).or_default();
        *count = count.saturating_add(1);
    }
    let changed = calls.iter().filter(|call| !call.candidate.intact);
    let unended = calls.iter().filter(|call| text(call, "phase") != "end").count();
    json!({
        "calls": calls.len(),
        "decisions": decisions,
        "without_end": unended,
        "not_intact": changed.count(),
        "proofs": proofs,
        "first": calls.first().map(|call| text(call, "time")),
        "last": calls.last().map(|call| text(call, "time")),
        "bytes_received": sum("bytes_received"),
        "bytes_sent": sum("bytes_sent"),
        "bytes_after_revocation": sum("bytes_after_revocation"),
    })
}

/// The report, in the form that docs/audit.md describes.
#[derive(Debug, Clone)]
pub struct Report(pub Value);

impl Report {
    /// In words: what a person has to know first.
    #[must_use]
    pub fn text(&self) -> String {
        let at = |pointer: &str| match self.0.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "-".to_owned(),
            Some(other) => other.to_string(),
        };
        let counts = |pointer: &str| {
            let counts = self.0.pointer(pointer).and_then(Value::as_object);
            let counts =
                counts.into_iter().flatten().map(|(word, count)| format!("{count} {word}"));
            counts.collect::<Vec<_>>().join(", ")
        };
        let requests = self.0.get("requests").and_then(Value::as_array);
        let other_rules = self.0.get("other_rules").and_then(Value::as_array);
        let other_rules = other_rules.into_iter().flatten().map(line);
        let comparison = self.0.get("trail_comparison").map(trail::lines).unwrap_or_default();
        let nothing = self.found_nothing().then_some(
            "nothing_found: neither the service nor the log knows it; check how it is spelled",
        );
        [
            format!("about         {}", at("/about")),
            format!("also spelled  {}", self.spellings()),
            format!(
                "requests      {}",
                requests.map_or("not asked for".to_owned(), |requests| requests.len().to_string())
            ),
            format!("calls         {} ({})", at("/summary/calls"), counts("/summary/decisions")),
            format!("proof         {}", counts("/summary/proofs")),
            format!("first, last   {}, {}", at("/summary/first"), at("/summary/last")),
            format!("integrity     {}", at("/check/integrity/verdict")),
            format!("completeness  {}", at("/check/completeness/verdict")),
        ]
        .into_iter()
        .chain(other_rules)
        .chain(comparison)
        .chain(nothing.map(str::to_owned))
        .collect::<Vec<_>>()
        .join("\n")
    }

    /// The other spellings of the name, each in quotes, because they may look the same.
    pub(super) fn spellings(&self) -> String {
        let found = self.0.get("look_alikes").and_then(Value::as_array);
        let names = found.into_iter().flatten().filter_map(|found| found.get("name")?.as_str());
        let names: Vec<String> =
            names.map(|name| harmless_json(&Value::from(name).to_string())).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(", ") }
    }

    /// Whether there is neither a request nor a call: evidence of nothing.
    #[must_use]
    pub fn found_nothing(&self) -> bool {
        self.0.get("nothing_found") == Some(&Value::Bool(true))
    }
}
