//! The records that long-lived streams leave when they begin: each may be in the log once, often
//! (Envoy writes it anew while the stream runs), or not at all (Envoy wrote only the end).

use std::collections::BTreeMap;

use super::digest::Digest;
use super::finding::Place;

/// How many ended streams of a chain are remembered, to know a late copy of their first record.
const MAX_ENDED: usize = 65_536;

/// The record of a start.
#[derive(Debug, Clone, Copy)]
pub struct Began {
    /// Its hash.
    pub hash: Digest,
    /// Where it is, or the end that speaks for it.
    pub place: Place,
    /// Whether it was in the log itself.
    pub seen: bool,
    /// The hash of the record before it, where that was known when only an end spoke for it.
    pub before: Option<Digest>,
}

/// The starts of one chain, by number.
#[derive(Debug, Default)]
pub struct Starts {
    open: BTreeMap<u64, Began>,
    ended: BTreeMap<u64, Began>,
}

impl Starts {
    /// The start with this number.
    pub fn find(&mut self, seq: u64) -> Option<&mut Began> {
        match self.open.get_mut(&seq) {
            Some(began) => Some(began),
            None => self.ended.get_mut(&seq),
        }
    }

    /// A start that was read.
    pub fn open(&mut self, seq: u64, began: Began) {
        self.open.insert(seq, began);
    }

    /// A start that only its end speaks for.
    pub fn vouched(&mut self, seq: u64, began: Began) {
        self.remember(seq, began);
    }

    /// Its stream has ended.
    pub fn end(&mut self, seq: u64) {
        if let Some(began) = self.open.remove(&seq) {
            self.remember(seq, began);
        }
    }

    /// Whether an end speaks for the start with this number.
    #[must_use]
    pub fn has_ended(&self, seq: u64) -> bool {
        self.ended.contains_key(&seq)
    }

    /// Those whose stream has not.
    pub fn running(&self) -> impl Iterator<Item = (u64, Began)> {
        self.open.iter().map(|(seq, began)| (*seq, *began))
    }

    fn remember(&mut self, seq: u64, began: Began) {
        if self.ended.len() >= MAX_ENDED {
            self.ended.pop_first();
        }
        self.ended.insert(seq, began);
    }
}
