//! What every connection is at, and which of them gives way: the state behind the places, without the lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::limits::{Limits, Times};

/// Which places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All.
    Total,
    /// Those that the address may have.
    Address,
    /// Those that proxies may have, or one of their credentials.
    Proxies,
}

/// Who gives way, the first first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// No request has come on it.
    Headless,
    /// It does not take its answer.
    Blocked,
    /// It is idle, or its request's body has not come: of a caller without a credential that is known ..
    Stranger,
    /// .. of a proxy ..
    Proxy,
    /// .. of a person.
    Person,
}

/// A rank, and when the connection came into it.
type Key = (Rank, u64);

/// Whose credential came on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// A person's.
    Person,
    /// That of the proxy with this name.
    Proxy(&'a str),
}

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Head,
    Body,
    Work,
    Answer,
    Idle,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    pub(super) at: At,
    since: Instant,
    /// No request has come on it.
    fresh: bool,
    /// Its TLS handshake is not done.
    pub(super) handshake: bool,
    /// Whose connection it is: idle ones are evicted in that order.
    caller: Rank,
    pub(super) blocked: Option<Instant>,
    /// The credential of the proxy whose request is at work.
    proxy: Option<String>,
    key: Option<Key>,
    pub(super) evict: Arc<Notify>,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct Address {
    open: usize,
    evictable: BTreeSet<(Key, u64)>,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Registry {
    next: u64,
    pub(super) open: HashMap<u64, Place>,
    evictable: BTreeMap<Key, u64>,
    addresses: HashMap<IpAddr, Address>,
    proxies: usize,
    by_proxy: HashMap<String, usize>,
    pub(super) stopping: bool,
    /// How many were closed or refused since it was last said in the log, and when that was.
    pub(super) unsaid: u64,
    pub(super) said: Option<Instant>,
}

impl Registry {
    /// How many connections of this address are open.
    pub(super) fn of_address(&self, address: IpAddr) -> usize {
        self.addresses.get(&address).map_or(0, |address| address.open)
    }

    /// Another connection of this address.
    pub(super) fn add(&mut self, address: IpAddr, evict: Arc<Notify>) -> u64 {
        self.next = self.next.saturating_add(1);
        let id = self.next;
        let of_address = self.addresses.entry(address).or_default();
        of_address.open = of_address.open.saturating_add(1);
        let place = Place {
            address,
            at: At::Head,
            since: Instant::now(),
            fresh: true,
            handshake: false,
            caller: Rank::Stranger,
            blocked: None,
            proxy: None,
            key: None,
            evict,
        };
        self.open.insert(id, place);
        self.rank(id);
        id
    }

    /// The connection has ended, or has to.
    pub(super) fn remove(&mut self, id: u64) -> Option<Place> {
        self.leave_proxies(id);
        let place = self.open.remove(&id)?;
        if let Some(key) = place.key {
            self.evictable.remove(&key);
        }
        if let Some(address) = self.addresses.get_mut(&place.address) {
            address.open = address.open.saturating_sub(1);
            if let Some(key) = place.key {
                address.evictable.remove(&(key, id));
            }
            if address.open == 0 {
                self.addresses.remove(&place.address);
            }
        }
        Some(place)
    }

    /// The connection that gives way first; of this address, where one is named.
    pub(super) fn least_needed(&self, address: Option<IpAddr>) -> Option<u64> {
        match address {
            None => self.evictable.first_key_value().map(|(_, id)| *id),
            Some(address) => self.addresses.get(&address)?.evictable.first().map(|(_, id)| *id),
        }
    }

    /// Puts the connection where its state belongs among those that give way.
    pub(super) fn rank(&mut self, id: u64) {
        self.next = self.next.saturating_add(1);
        let order = self.next;
        let Some(place) = self.open.get_mut(&id) else { return };
        let rank = match place.at {
            _ if place.blocked.is_some() => Some(Rank::Blocked),
            At::Head if place.fresh => Some(Rank::Headless),
            At::Head | At::Body | At::Idle => Some(place.caller),
            At::Work | At::Answer => None,
        };
        if place.key.map(|(rank, _)| rank) == rank {
            return;
        }
        let Some(address) = self.addresses.get_mut(&place.address) else { return };
        if let Some(old) = place.key.take() {
            self.evictable.remove(&old);
            address.evictable.remove(&(old, id));
        }
        if let Some(rank) = rank {
            place.key = Some((rank, order));
            self.evictable.insert((rank, order), id);
            address.evictable.insert(((rank, order), id));
        }
    }

    /// The connection is at something else from now on.
    pub(super) fn enter(&mut self, id: u64, at: At) {
        if let Some(place) = self.open.get_mut(&id) {
            (place.at, place.since) = (at, Instant::now());
            place.fresh &= at == At::Head;
        }
        self.rank(id);
    }

    /// The request on this connection has that credential.
    pub(super) fn known(&mut self, limits: &Limits, id: u64, known: Known<'_>) -> Result<(), Full> {
        let Some(place) = self.open.get_mut(&id) else { return Ok(()) };
        match known {
            Known::Person => place.caller = Rank::Person,
            Known::Proxy(name) => {
                if place.proxy.is_none() {
                    let of_credential = self.by_proxy.entry(name.to_owned()).or_default();
                    if self.proxies >= limits.proxies() || *of_credential >= limits.per_proxy() {
                        return Err(Full::Proxies);
                    }
                    self.proxies = self.proxies.saturating_add(1);
                    *of_credential = of_credential.saturating_add(1);
                    place.proxy = Some(name.to_owned());
                }
                place.caller = Rank::Proxy;
            }
        }
        self.rank(id);
        Ok(())
    }

    /// The request of a proxy is at work no more.
    pub(super) fn leave_proxies(&mut self, id: u64) {
        let Some(name) = self.open.get_mut(&id).and_then(|place| place.proxy.take()) else {
            return;
        };
        self.proxies = self.proxies.saturating_sub(1);
        if let Some(of_credential) = self.by_proxy.get_mut(&name) {
            *of_credential = of_credential.saturating_sub(1);
            if *of_credential == 0 {
                self.by_proxy.remove(&name);
            }
        }
    }

    /// Until when what it is waited for has to come.
    pub(super) fn deadline(&self, id: u64, times: &Times) -> Option<Instant> {
        let place = self.open.get(&id)?;
        let limit = match place.at {
            At::Head if place.handshake && !self.stopping => Some(times.handshake.min(times.head)),
            At::Head if self.stopping => Some(times.last_head.min(times.head)),
            At::Head => Some(times.head),
            At::Body => Some(times.body),
            At::Idle => Some(times.idle),
            At::Answer => Some(times.answer),
            // The endpoint has a limit of its own.
            At::Work => None,
        };
        let end = limit.and_then(|limit| place.since.checked_add(limit));
        let blocked = place.blocked.and_then(|since| since.checked_add(times.write));
        [end, blocked].into_iter().flatten().min()
    }
}
