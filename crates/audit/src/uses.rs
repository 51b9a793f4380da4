//! Uses of grants in the records of a report, counted: what the comparisons of a record's rules list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::text::harmless_json;

/// How many uses there are of one kind, when and where.
#[derive(Default)]
pub(super) struct Uses<'r> {
    requests: u64,
    first: &'r str,
    last: &'r str,
    nodes: BTreeSet<&'r str>,
}

/// Uses by what they have in common.
pub(super) type Grouped<'r, K> = BTreeMap<K, Uses<'r>>;

/// The text of a record's member; empty where it has none.
pub(super) fn text<'r>(record: &'r Value, name: &str) -> &'r str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the record is of a call that its grant let through; a refusal is no use.
pub(super) fn is_use(record: &Value) -> bool {
    matches!(text(record, "decision"), "allow" | "cut")
}

/// Counts the use in this record among those of `key`.
pub(super) fn count<'r, K: Ord>(grouped: &mut Grouped<'r, K>, key: K, record: &'r Value) {
    let time = text(record, "time");
    let uses = grouped.entry(key).or_insert_with(|| Uses { first: time, ..Uses::default() });
    uses.requests = uses.requests.saturating_add(1);
    uses.first = uses.first.min(time);
    uses.last = uses.last.max(time);
    uses.nodes.extend(record.get("node").and_then(Value::as_str));
}

impl Uses<'_> {
    /// An object with the members of `about`, and how many uses, when and where.
    pub(super) fn json(self, about: Value) -> Value {
        let own = json!({
            "requests": self.requests, "first": self.first, "last": self.last, "nodes": self.nodes,
        });
        match (about, own) {
            (Value::Object(mut about), Value::Object(own)) => {
                about.extend(own);
                Value::Object(about)
            }
            (about, _) => about,
        }
    }
}

/// A member as it can stand in a line of a terminal: what comes from a log or from the service is in quotes.
pub(super) fn quoted(found: &Value, name: &str) -> String {
    harmless_json(&found.get(name).unwrap_or(&Value::Null).to_string())
}
