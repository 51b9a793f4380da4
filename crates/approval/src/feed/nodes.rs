//! Who reads the feed, and how far each has read.
//!
//! In memory only: it says who is there now, and a record of that is wrong as soon as nobody
//! updates it. After a restart it is complete within one poll, because every poll ends with the
//! service and comes back with the epoch that its node has reached.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Moment;
use crate::limits::{MAX_NODES, PROXY_FORGOTTEN_S};

/// The nodes, by credential and name.
#[derive(Debug)]
pub struct Nodes {
    since: Option<Moment>,
    known: Mutex<HashMap<String, HashMap<String, Node>>>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    epoch: i64,
    seen: Moment,
    polls: u32,
}

/// A node as it is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// Whose credential it uses.
    pub proxy: String,
    /// What it calls itself.
    pub node: String,
    /// The epoch that it has acknowledged, by asking for what comes after; 0 for none.
    pub epoch: i64,
    /// When it was last here: now, while it waits for news.
    pub seen: Moment,
}

impl Nodes {
    /// No nodes, from `since` on.
    #[must_use]
    pub fn new(since: Option<Moment>) -> Nodes {
        Nodes { since, known: Mutex::default() }
    }

    /// Since when nodes are known: who was there before and never again is not.
    #[must_use]
    pub fn since(&self) -> Option<Moment> {
        self.since
    }

    /// A node begins to wait, and knows the feed up to `epoch`.
    pub fn arrive(&self, now: Moment, proxy: &str, name: &str, epoch: i64) {
        let mut known = self.known();
        let nodes = known.entry(proxy.to_owned()).or_default();
        if let Some(node) = nodes.get_mut(name) {
            *node = Node { epoch, seen: now, polls: node.polls.saturating_add(1) };
            return;
        }
        nodes.retain(|_, node| node.is_remembered(now));
        if nodes.len() >= MAX_NODES {
            let oldest = nodes.iter().min_by_key(|(_, node)| node.seen).map(|(name, _)| name);
            if let Some(oldest) = oldest.cloned() {
                nodes.remove(&oldest);
            }
        }
        nodes.insert(name.to_owned(), Node { epoch, seen: now, polls: 1 });
    }

    /// It got its answer, or went away. `now` is nothing where the clock cannot be believed.
    pub fn leave(&self, now: Option<Moment>, proxy: &str, name: &str) {
        if let Some(node) = self.known().get_mut(proxy).and_then(|nodes| nodes.get_mut(name)) {
            node.polls = node.polls.saturating_sub(1);
            node.seen = now.unwrap_or(node.seen);
        }
    }

    /// All nodes, in order; those that were not seen for long are forgotten.
    #[must_use]
    pub fn list(&self, now: Moment) -> Vec<Known> {
        let mut known = self.known();
        for nodes in known.values_mut() {
            nodes.retain(|_, node| node.is_remembered(now));
        }
        let mut list: Vec<Known> = known
            .iter()
            .flat_map(|(proxy, nodes)| {
                nodes.iter().map(|(name, node)| Known {
                    proxy: proxy.clone(),
                    node: name.clone(),
                    epoch: node.epoch,
                    seen: if node.polls > 0 { now } else { node.seen },
                })
            })
            .collect();
        drop(known);
        list.sort_unstable();
        list
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Node>>> {
        // Each change is one assignment, insertion or removal.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    fn is_remembered(self, now: Moment) -> bool {
        let gone = now.seconds().saturating_sub(self.seen.seconds());
        self.polls > 0 || gone < PROXY_FORGOTTEN_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_seconds(seconds)
    }

    #[test]
    fn who_waits_is_here_and_who_left_was() {
        let nodes = Nodes::new(None);
        nodes.arrive(at(0), "p", "a", 7);
        let listed = |now| nodes.list(at(now)).first().map(|node| (node.epoch, node.seen));
        assert_eq!(listed(10_000), Some((7, at(10_000))));
        nodes.arrive(at(10_000), "p", "a", 8);
        nodes.leave(Some(at(10_001)), "p", "a");
        assert_eq!(listed(10_002), Some((8, at(10_002))), "its other poll waits");
        nodes.leave(Some(at(10_003)), "p", "a");
        assert_eq!(listed(10_003 + PROXY_FORGOTTEN_S - 1), Some((8, at(10_003))));
        assert_eq!(listed(10_003 + PROXY_FORGOTTEN_S), None);
    }

    #[test]
    fn a_proxy_that_makes_up_nodes_pushes_out_its_own() {
        let nodes = Nodes::new(None);
        nodes.arrive(at(0), "other", "a", 1);
        for index in 0..=MAX_NODES {
            let name = format!("node-{index}");
            let now = at(i64::try_from(index / 1000).unwrap() + 1);
            nodes.arrive(now, "p", &name, 1);
            nodes.leave(Some(now), "p", &name);
        }
        let listed = nodes.list(at(12));
        assert_eq!(listed.len(), MAX_NODES + 1);
        assert_eq!(listed.first().map(|node| node.proxy.as_str()), Some("other"));
    }
}
