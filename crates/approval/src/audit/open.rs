//! Requests of which the log has the decision and not yet the end.
//!
//! Such a record has no number: it is in the log where the VM died before the end, or Envoy wrote
//! it while the request ran. In the second case the end is there too.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::digest::ChainId;
use super::finding::Place;
use super::record::Record;

/// How many are remembered: more are under way nowhere, and a log that is full of forged ones is
/// no reason to take more memory.
const MAX_OPEN: usize = 100_000;

/// How many ends are remembered where files may not be in order.
const MAX_ENDED: usize = 100_000;

/// The requests under way.
#[derive(Debug, Default)]
pub struct Open {
    decided: HashMap<u64, Decided>,
    ended: HashSet<u64>,
    order: VecDeque<u64>,
    /// Whether an end may be read before its decision.
    unordered: bool,
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
}

impl Open {
    /// Nothing under way. `unordered` where there are several files.
    #[must_use]
    pub fn new(unordered: bool) -> Open {
        Open { unordered, ..Open::default() }
    }

    /// The record of a decision. Returns whether its request has not ended.
    pub fn decided(&mut self, record: &Record<'_>, place: Place) -> bool {
        let key = key(record);
        if self.ended.contains(&key) {
            return false;
        }
        if self.decided.len() < MAX_OPEN {
            self.decided.entry(key).or_insert_with(|| Decided {
                place,
                chain: record.chain,
                time: record.time.0.clone().into_owned(),
                request_id: record.request_id.as_ref().map(|id| id.0.clone().into_owned()),
            });
        }
        true
    }

    /// The record of a start or an end.
    pub fn sealed(&mut self, record: &Record<'_>) {
        if self.decided.is_empty() && !self.unordered {
            return;
        }
        let key = key(record);
        self.decided.remove(&key);
        if self.unordered && self.ended.insert(key) {
            self.order.push_back(key);
            if self.order.len() > MAX_ENDED
                && let Some(oldest) = self.order.pop_front()
            {
                self.ended.remove(&oldest);
            }
        }
    }

    /// Those that never ended.
    pub fn finish(self) -> impl Iterator<Item = Decided> {
        self.decided.into_values()
    }
}

/// What the records of one request have in common.
fn key(record: &Record<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    record.chain.hash(&mut hasher);
    record.stream.hash(&mut hasher);
    record.time.hash(&mut hasher);
    hasher.finish()
}
