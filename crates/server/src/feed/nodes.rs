//! Who reads the feed, and how far each has read.
//!
//! 1. A proxy is an Envoy process, by the id that its filter says. One that says none (an older filter, or one
//!    without a credential of its own) is told from others by its node name and its address.
//! 2. A proxy is here while it waits for news, and lives as long as it polls or introspects. One that is silent
//!    for longer than it believes what it knows refuses new requests by itself, if it is configured so.
//! 3. In memory only: it says who is there now, and a record of that is wrong as soon as nobody
//!    updates it. After a restart it is complete within one poll, because every poll ends with the
//!    service and comes back with the epoch that its node has reached.
//! 4. A silent proxy is remembered for as long as what ran there when it fell silent may run; one that does not
//!    say its bounds, for ten minutes.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::about::{About, Bounds};
use crate::clock::Moment;
use crate::limits::{CLOCK_SKEW_S, MAX_GRANT_S, MAX_NODES, PROXY_FORGOTTEN_S};

/// For how long a proxy that does not say its bounds counts as alive after a poll.
const UNSAID_PATIENCE: Duration = Duration::from_secs(30);

/// The nodes, by credential and by what tells them apart.
#[derive(Debug)]
pub struct Nodes {
    since: Option<Moment>,
    known: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    nodes: HashMap<String, HashMap<Key, Node>>,
    /// The ids of those that were said to be gone.
    forgotten: HashSet<String>,
}

/// What tells a proxy from the others with the same credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The id of its process.
    Process(Box<str>),
    /// Its name and address.
    Named(Box<str>, Option<IpAddr>),
}

#[derive(Debug, Clone)]
struct Node {
    name: Box<str>,
    about: About,
    epoch: i64,
    seen: Moment,
    polls: u32,
}

/// A node as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whose credential it uses.
    pub proxy: String,
    /// What it calls itself.
    pub node: String,
    /// What names it in a command: the id of its process, or one that was made for it.
    pub id: String,
    /// What else it says.
    pub about: About,
    /// The epoch that it has acknowledged, by asking for what comes after; 0 for none.
    pub epoch: i64,
    /// When it last gave a sign of life: now, while it waits for news.
    pub seen: Moment,
    /// Whether it waits for news.
    pub here: bool,
    /// Whether it is here, or was seen so lately that it may go on by what it knows.
    pub alive: bool,
    /// Since when it refuses every new request, because it has heard nothing for longer than it believes what
    /// it knows.
    pub refuses_new_since: Option<Moment>,
    /// Whether another one that lives has the same name.
    pub same_node: bool,
}

/// Why a proxy is not forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotForgotten {
    /// No proxy has this id.
    Unknown,
    /// It is alive.
    Alive,
}

impl Key {
    /// The key of a proxy that calls itself `node`.
    #[must_use]
    pub fn new(node: &str, about: &About) -> Key {
        match &about.process {
            Some(process) => Key::Process(process.clone()),
            None => Key::Named(node.into(), about.address),
        }
    }

    /// What names it in commands.
    pub(crate) fn id(&self, proxy: &str) -> String {
        match self {
            Key::Process(process) => process.to_string(),
            Key::Named(node, address) => {
                let address = address.map(|address| address.to_string()).unwrap_or_default();
                let digest = Sha256::digest([proxy, node, &address].join("\0"));
                breakglass_types::hex::lower(digest.first_chunk::<16>().unwrap_or(&[0; 16]))
            }
        }
    }
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

    /// A node begins to wait, and knows the feed up to `epoch`. Returns its key, by which it leaves.
    pub fn arrive(&self, now: Moment, proxy: &str, name: &str, about: About, epoch: i64) -> Key {
        let key = Key::new(name, &about);
        let mut memory = self.memory();
        let Memory { nodes, forgotten } = &mut *memory;
        let nodes = nodes.entry(proxy.to_owned()).or_default();
        if let Some(node) = nodes.get_mut(&key) {
            let bounds = weaker(node.about.bounds, about.bounds);
            node.about = About { bounds, ..about };
            node.name = name.into();
            (node.epoch, node.seen) = (epoch, now);
            node.polls = node.polls.saturating_add(1);
            return key;
        }
        if !forgotten.is_empty() && forgotten.remove(&key.id(proxy)) {
            tracing::warn!(
                proxy,
                node = name,
                id = key.id(proxy),
                "a proxy that was said to be gone is back"
            );
        }
        nodes.retain(|_, node| node.is_remembered(now));
        if nodes.len() >= MAX_NODES {
            let oldest = nodes.iter().min_by_key(|(_, node)| node.seen).map(|(key, _)| key);
            if let Some(oldest) = oldest.cloned() {
                nodes.remove(&oldest);
            }
        }
        nodes.insert(key.clone(), Node { name: name.into(), about, epoch, seen: now, polls: 1 });
        key
    }

    /// It got its answer, or went away. `now` is nothing where the clock cannot be believed.
    pub fn leave(&self, now: Option<Moment>, proxy: &str, key: &Key) {
        if let Some(node) = self.memory().nodes.get_mut(proxy).and_then(|nodes| nodes.get_mut(key))
        {
            node.polls = node.polls.saturating_sub(1);
            node.seen = now.unwrap_or(node.seen);
        }
    }

    /// A proxy asked about a token: a sign of life. Without a process it may be any of those that have none and
    /// the same address.
    pub fn introspected(&self, now: Moment, proxy: &str, about: &About) {
        let mut memory = self.memory();
        let Some(nodes) = memory.nodes.get_mut(proxy) else { return };
        if let Some(process) = &about.process {
            if let Some(node) = nodes.get_mut(&Key::Process(process.clone())) {
                node.seen = node.seen.max(now);
            }
            return;
        }
        for (key, node) in nodes {
            if matches!(key, Key::Named(_, address) if *address == about.address) {
                node.seen = node.seen.max(now);
            }
        }
    }

    /// All nodes, in order; those that were not seen for long are forgotten.
    #[must_use]
    pub fn list(&self, now: Moment) -> Vec<Known> {
        let mut memory = self.memory();
        for nodes in memory.nodes.values_mut() {
            nodes.retain(|_, node| node.is_remembered(now));
        }
        let all = || memory.nodes.values().flatten().map(|(_, node)| node);
        let mut alive: HashMap<&str, u32> = HashMap::new();
        for node in all().filter(|node| node.is_alive(now)) {
            let count = alive.entry(&node.name).or_default();
            *count = count.saturating_add(1);
        }
        let is_shared = |node: &Node| {
            node.is_alive(now) && alive.get(&*node.name).is_some_and(|count| *count > 1)
        };
        let mut list: Vec<Known> = memory
            .nodes
            .iter()
            .flat_map(|(proxy, nodes)| {
                nodes.iter().map(|(key, node)| Known {
                    proxy: proxy.clone(),
                    node: node.name.to_string(),
                    id: key.id(proxy),
                    about: node.about.clone(),
                    epoch: node.epoch,
                    seen: if node.polls > 0 { now } else { node.seen },
                    here: node.polls > 0,
                    alive: node.is_alive(now),
                    refuses_new_since: node.refuses_new_since(now),
                    same_node: is_shared(node),
                })
            })
            .collect();
        drop(memory);
        list.sort_unstable_by(|a, b| (&a.proxy, &a.node, &a.id).cmp(&(&b.proxy, &b.node, &b.id)));
        list
    }

    /// The proxies that live, say which signing keys they have, and do not have this one: each with its credential and its
    /// node. Of the credentials for which `counts` says so.
    #[must_use]
    pub fn lacking(
        &self,
        now: Moment,
        kid: &str,
        counts: impl Fn(&str) -> bool,
    ) -> Vec<(String, String)> {
        let memory = self.memory();
        let mut lacking = Vec::new();
        for (proxy, nodes) in memory.nodes.iter().filter(|(proxy, _)| counts(proxy)) {
            let nodes = nodes.values().filter(|node| node.is_alive(now) && node.lacks(kid));
            lacking.extend(nodes.map(|node| (proxy.clone(), node.name.to_string())));
        }
        drop(memory);
        lacking.sort_unstable();
        lacking
    }

    /// The longest time between two fetches of the signing keys by a proxy that lives, in whole seconds.
    #[must_use]
    pub fn longest_refresh(&self, now: Moment) -> i64 {
        let memory = self.memory();
        let nodes = memory.nodes.values().flat_map(HashMap::values);
        let refresh = |node: &Node| Some(node.about.keys.as_ref()?.refresh.as_secs());
        let longest = nodes.filter(|node| node.is_alive(now)).filter_map(refresh).max();
        longest.map_or(0, |seconds| i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// How many proxies live, by credential and by the configuration that they say.
    #[must_use]
    pub fn live_configurations(&self, now: Moment) -> HashMap<(String, Option<Box<str>>), u64> {
        let memory = self.memory();
        let mut live = HashMap::new();
        for (proxy, nodes) in &memory.nodes {
            for node in nodes.values().filter(|node| node.is_alive(now)) {
                let count: &mut u64 =
                    live.entry((proxy.clone(), node.about.config.clone())).or_default();
                *count = count.saturating_add(1);
            }
        }
        live
    }

    /// The silent proxies with this id.
    ///
    /// # Errors
    /// [`NotForgotten`] where there is none.
    pub fn silent(&self, now: Moment, id: &str) -> Result<Vec<Known>, NotForgotten> {
        let mut found: Vec<Known> = self.list(now);
        found.retain(|known| known.id == id);
        if found.is_empty() {
            return Err(NotForgotten::Unknown);
        }
        found.retain(|known| !known.alive);
        if found.is_empty() { Err(NotForgotten::Alive) } else { Ok(found) }
    }

    /// Forgets one that is gone, unless it has come back meanwhile. Whether it is forgotten.
    pub fn forget(&self, gone: &Known) -> bool {
        let mut memory = self.memory();
        let Some(nodes) = memory.nodes.get_mut(&gone.proxy) else { return false };
        let before = nodes.len();
        nodes.retain(|key, node| {
            key.id(&gone.proxy) != gone.id || node.polls > 0 || node.seen > gone.seen
        });
        let is_gone = nodes.len() < before;
        if is_gone && memory.forgotten.len() < MAX_NODES {
            memory.forgotten.insert(gone.id.clone());
        }
        is_gone
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is one assignment, insertion or removal.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    fn is_alive(&self, now: Moment) -> bool {
        self.polls > 0 || patience_ends(self.seen, self.about.bounds) > now
    }

    /// Not where it says of no keys, or has too many to say.
    fn lacks(&self, kid: &str) -> bool {
        let kids = self.about.keys.as_ref().and_then(|keys| keys.kids.as_ref());
        kids.is_some_and(|kids| !kids.iter().any(|one| **one == *kid))
    }

    /// Only where it has said that it refuses.
    fn refuses_new_since(&self, now: Moment) -> Option<Moment> {
        let refuses_at = later(self.seen, self.about.bounds?.refuses_after()?);
        (!self.is_alive(now) && refuses_at <= now).then_some(refuses_at)
    }

    fn is_remembered(&self, now: Moment) -> bool {
        let gone = now.seconds().saturating_sub(self.seen.seconds());
        let kept = match self.about.bounds {
            Some(_) => MAX_GRANT_S.saturating_add(CLOCK_SKEW_S),
            None => PROXY_FORGOTTEN_S,
        };
        self.polls > 0 || gone < kept
    }
}

/// Until when a proxy that was seen then may go on by what it knows.
fn patience_ends(seen: Moment, bounds: Option<Bounds>) -> Moment {
    later(seen, bounds.map_or(UNSAID_PATIENCE, |bounds| bounds.patience()))
}

fn later(moment: Moment, duration: Duration) -> Moment {
    let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Moment::from_millis(moment.millis().saturating_add(millis))
}

/// A process may have several configurations, one of which polls for all of them: the weakest that it has said
/// counts, until it is another process.
fn weaker(before: Option<Bounds>, now: Option<Bounds>) -> Option<Bounds> {
    match (before, now) {
        (Some(before), Some(now)) => Some(now.or(before)),
        (one, other) => other.or(one),
    }
}

#[cfg(test)]
mod tests;
