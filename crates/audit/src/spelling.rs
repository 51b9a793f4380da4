//! Whether a record is about a person or an incident, in any spelling: who wrote the name chose how.

use std::collections::{BTreeMap, HashMap};

use memchr::memmem::Finder;
use serde_json::{Deserializer, Value};

use crate::folded::Folded;

/// The most names of which it is remembered whether they are the one that is looked for.
const REMEMBERED: usize = 10_000;

/// Looks for a name.
#[derive(Debug)]
pub(super) struct Spelling {
    name: String,
    folded: Folded,
    key: Finder<'static>,
    member: &'static str,
    remembered: HashMap<String, bool>,
}

impl Spelling {
    /// Looks for `name` in this member of records.
    pub(super) fn new(member: &'static str, name: &str) -> Spelling {
        let key = Finder::new(&format!("\"{member}\"")).into_owned();
        let folded = Folded::new(name);
        Spelling { name: name.to_owned(), folded, key, member, remembered: HashMap::new() }
    }

    /// The record, if it is about the name. Most records are about something else, and are not taken apart.
    pub(super) fn record(&mut self, text: &str) -> Option<Value> {
        let named: Vec<String> =
            self.key.find_iter(text.as_bytes()).filter_map(|at| value(text, at)).collect();
        if !named.iter().any(|name| self.is(name)) {
            return None;
        }
        let record: Value = serde_json::from_str(text).ok()?;
        let name = record.get(self.member).and_then(Value::as_str)?.to_owned();
        self.is(&name).then_some(record)
    }

    fn is(&mut self, name: &str) -> bool {
        if let Some(known) = self.remembered.get(name) {
            return *known;
        }
        let found = self.folded.is(name);
        if self.remembered.len() < REMEMBERED {
            self.remembered.insert(name.to_owned(), found);
        }
        found
    }

    /// The spellings other than the one that was looked for, each with how often it is in `calls` and in
    /// `requests`.
    pub(super) fn look_alikes<'a>(
        &self,
        calls: impl Iterator<Item = &'a str>,
        requests: impl Iterator<Item = &'a str>,
    ) -> BTreeMap<&'a str, [u64; 2]> {
        let mut found: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
        let calls = calls.map(|name| (name, [1, 0]));
        for (name, more) in calls.chain(requests.map(|name| (name, [0, 1]))) {
            if name != self.name {
                let counts = found.entry(name).or_default();
                for (count, more) in counts.iter_mut().zip(more) {
                    *count = count.saturating_add(more);
                }
            }
        }
        found
    }
}

/// The text that stands behind the member's name at `at`.
fn value(text: &str, at: usize) -> Option<String> {
    let behind = text.get(at..)?.split_once(':')?.1;
    Deserializer::from_str(behind).into_iter::<String>().next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_member_and_nothing_like_it() {
        let mut spelling = Spelling::new("subject", "alice");
        for (text, found) in [
            (r#"{"subject":"alice"}"#, true),
            (r#"{"subject" : "ALICE"}"#, true),
            (r#"{"subject":"\u0430lice"}"#, true),
            (r#"{"request_body":{"subject":"bob"},"subject":"Alice "}"#, true),
            (r#"{"request_body":{"subject":"alice"},"subject":"bob"}"#, false),
            (r#"{"path":"\"subject\":\"alice\"","subject":"bob"}"#, false),
            (r#"{"subject":null,"grant":"alice"}"#, false),
            (r#"{"subject":["alice"]}"#, false),
            (r#"{"subject":"alice""#, false),
            (r#"{"subject""#, false),
        ] {
            assert_eq!(spelling.record(text).is_some(), found, "{text}");
        }
    }
}
