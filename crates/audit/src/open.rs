//! Requests of which the log has the decision and not yet the end.
//!
//! Such a record has no number and no seal: it is in the log where the VM died before the end, or Envoy
//! wrote it while the request ran. In the second case the end is there too, and the two must agree: an
//! inserted line could otherwise pass for what a real request did.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::canonical::Tree;
use super::digest::ChainId;
use super::finding::{Finding, Kind, Place};
use super::record::Record;

/// The members of a record that its end may change. What a cut because of a revocation knew of the feed
/// is what was known then, and not at the decision.
pub const MAY_CHANGE: [&str; 7] =
    ["phase", "time", "decision", "reason", "epoch", "epoch_age_ms", "revocation_source"];

/// What the records of one request have in common: the chain, and Envoy's number of the request.
type Key = (ChainId, Option<u64>);

/// The requests under way.
#[derive(Debug, Default)]
pub struct Open {
    fingerprints: RandomState,
    decided: HashMap<Key, Vec<Decided>>,
}

/// A request that was decided.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Where its record is.
    pub place: Place,
    /// Its chain.
    pub chain: ChainId,
    /// When it came.
    pub time: String,
    /// Envoy's id for it.
    pub request_id: Option<String>,
    /// What its sealed record must say too, as fingerprints.
    members: Vec<(Box<str>, u64)>,
}

impl Open {
    /// The record of a decision, with its text.
    pub fn decided(&mut self, record: &Record<'_>, text: &str, place: Place) {
        let members = self.members(text);
        let decided = self.decided.entry(key(record)).or_default();
        // Envoy may write it more than once.
        if decided.iter().any(|known| known.members == members) {
            return;
        }
        decided.push(Decided {
            place,
            chain: record.chain,
            time: record.time.0.clone().into_owned(),
            request_id: record.request_id.as_ref().map(|id| id.0.clone().into_owned()),
            members,
        });
    }

    /// The record of a start or an end, with its text: what speaks against the decisions of its request.
    pub fn sealed(&mut self, record: &Record<'_>, text: &str, place: Place) -> Vec<Finding> {
        if self.decided.is_empty() {
            return Vec::new();
        }
        let Some(decided) = self.decided.remove(&key(record)) else { return Vec::new() };
        let sealed: HashMap<Box<str>, u64> = self.members(text).into_iter().collect();
        let contradicted = decided.into_iter().filter_map(|decided| {
            let differs = |(name, value): &&(Box<str>, u64)| {
                sealed.get(name).is_some_and(|sealed| sealed != value)
            };
            let (name, _) = decided.members.iter().find(differs)?;
            let detail = format!("its `{name}` is not that of the sealed record of its stream");
            let found = Finding::at(Kind::Contradicted, decided.place, detail).see(place);
            Some(Finding { chain: Some(decided.chain), ..found })
        });
        contradicted.collect()
    }

    /// A record of a start or an end that was changed: the request had one, whatever it was.
    pub fn ended(&mut self, record: &Record<'_>) {
        self.decided.remove(&key(record));
    }

    /// Whether every request that was decided has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decided.is_empty()
    }

    /// Those that never ended.
    pub fn finish(self) -> impl Iterator<Item = Decided> {
        self.decided.into_values().flatten()
    }

    /// The members that the end of a request does not change, but for those that say nothing.
    fn members(&self, text: &str) -> Vec<(Box<str>, u64)> {
        let Ok(Tree::Object(members)) = serde_json::from_str::<Tree>(text) else {
            return Vec::new();
        };
        let fixed = members
            .into_iter()
            .filter(|(name, value)| *value != Tree::Null && !MAY_CHANGE.contains(&name.as_str()));
        let fingerprint = |value: &Tree| {
            self.fingerprints.hash_one(serde_json::to_string(value).unwrap_or_default())
        };
        fixed.map(|(name, value)| (name.into_boxed_str(), fingerprint(&value))).collect()
    }
}

fn key(record: &Record<'_>) -> Key {
    (record.chain, record.stream)
}
