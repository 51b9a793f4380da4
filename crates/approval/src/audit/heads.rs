//! What proxies reported of their chains, as the approval service gives it.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::digest::{ChainId, Digest};
use crate::clock::parse_rfc3339;

/// The heads of all chains.
#[derive(Debug, Default)]
pub struct Heads {
    /// By chain.
    pub chains: HashMap<ChainId, Head>,
    /// When they were read, RFC 3339: the latest of the pages.
    pub as_of: Option<String>,
}

/// What was reported of one chain.
#[derive(Debug, Clone)]
pub struct Head {
    /// By which node.
    pub node: String,
    /// When the chain began.
    pub began: String,
    /// When the last report came.
    pub reported_at: String,
    /// The number at which it ended, where it did.
    pub ended: Option<u64>,
    /// Every reported hash, by number. Two for one number where reports contradict each other.
    pub hashes: BTreeMap<u64, Vec<Digest>>,
    /// How many records each grant has.
    pub grants: BTreeMap<String, u64>,
}

/// A page of the service's answer.
#[derive(Deserialize)]
struct Page {
    as_of: String,
    heads: Vec<Reported>,
}

#[derive(Deserialize)]
struct Reported {
    reported_at: String,
    node: String,
    chain: ChainId,
    seq: u64,
    hash: Digest,
    began: String,
    ended: bool,
    grants: BTreeMap<String, u64>,
}

impl Heads {
    /// Adds a page of the answer of `GET /v1/audit/heads`.
    ///
    /// # Errors
    /// What is not as expected.
    pub fn add(&mut self, page: Value) -> Result<(), serde_json::Error> {
        let page: Page = serde_json::from_value(page)?;
        self.as_of = self.as_of.take().max(Some(page.as_of));
        for reported in page.heads {
            self.reported(reported);
        }
        Ok(())
    }

    fn reported(&mut self, reported: Reported) {
        let Reported { reported_at, node, chain, seq, hash, began, ended, grants } = reported;
        let head = self.chains.entry(chain).or_insert_with(|| Head {
            node,
            began,
            reported_at: String::new(),
            ended: None,
            hashes: BTreeMap::new(),
            grants: BTreeMap::new(),
        });
        head.reported_at = reported_at.max(std::mem::take(&mut head.reported_at));
        if ended {
            head.ended = Some(head.ended.map_or(seq, |known| known.min(seq)));
        }
        let hashes = head.hashes.entry(seq).or_default();
        if !hashes.contains(&hash) {
            hashes.push(hash);
        }
        for (grant, count) in grants {
            let known = head.grants.entry(grant).or_default();
            *known = count.max(*known);
        }
    }

    /// Forgets the chains of other nodes.
    pub fn only_node(&mut self, node: &str) {
        self.chains.retain(|_, head| head.node == node);
    }

    /// Forgets the chains that were last reported before this instant.
    pub fn only_since(&mut self, instant: &str) {
        let since = parse_rfc3339(instant);
        self.chains.retain(|_, head| parse_rfc3339(&head.reported_at) >= since);
    }

    /// The chain, where a proxy reported it.
    #[must_use]
    pub fn chain(&self, chain: ChainId) -> Option<&Head> {
        self.chains.get(&chain)
    }
}

impl Head {
    /// The highest number that was reported.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.hashes.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// The hash that was reported for this number, where there is exactly one.
    #[must_use]
    pub fn hash(&self, seq: u64) -> Option<Digest> {
        match self.hashes.get(&seq).map(Vec::as_slice) {
            Some([hash]) => Some(*hash),
            _ => None,
        }
    }

    /// Whether this hash contradicts what was reported for this number.
    #[must_use]
    pub fn contradicts(&self, seq: u64, hash: Digest) -> bool {
        // Where reports contradict each other one of them is contradicted by any log.
        self.hashes.get(&seq).is_some_and(|hashes| hashes.as_slice() != [hash])
    }

    /// Whether the chain began before this instant, as far as both are known.
    #[must_use]
    pub fn began_before(&self, instant: &str) -> bool {
        match (parse_rfc3339(&self.began), parse_rfc3339(instant)) {
            (Some(began), Some(instant)) => began < instant,
            _ => false,
        }
    }
}
