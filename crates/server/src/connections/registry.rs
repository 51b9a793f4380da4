//! What every connection and each of its requests is at, and which connection gives way: the state behind the places,
//! without the lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::exchange_state::{ExchangeState, Phase};
use super::limits::{Limits, Times};
use crate::metrics::Closed;

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
    /// It does not take its answers.
    Blocked,
    /// It is idle, or the bodies of its requests have not come: of a caller without a credential that is known ..
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

/// One connection.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    /// Since when the head of a request, or a TLS handshake, is under way. In HTTP/2 only for the first request.
    head: Option<Instant>,
    /// Since when a frame of HTTP/2 that is not DATA, or a head in several of them, is under way.
    frame: Option<Instant>,
    /// No request has come on it.
    fresh: bool,
    /// Its TLS handshake is not done.
    pub(super) handshake: bool,
    /// It speaks HTTP/2, so it may have several requests at a time.
    pub(super) http2: bool,
    /// It was idle for long, and the client was told that it ends.
    pub(super) ending: bool,
    /// Whose connection it is: idle ones are evicted in that order.
    caller: Rank,
    blocked: Option<Instant>,
    /// Since when it has no request.
    idle: Instant,
    exchanges: BTreeMap<u64, ExchangeState>,
    key: Option<Key>,
    pub(super) wake: Arc<Notify>,
}

/// The places of one address.
#[derive(Debug, Default)]
struct Address {
    taken: usize,
    evictable: BTreeSet<(Key, u64)>,
}

/// What a connection has to be done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing before this instant.
    At(Option<Instant>),
    /// It is late.
    Late(Closed),
    /// It gave way.
    Gone,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Registry {
    next: u64,
    pub(super) open: HashMap<u64, Place>,
    /// The places of requests that came beside another one on their connection.
    beside: usize,
    evictable: BTreeMap<Key, u64>,
    addresses: HashMap<IpAddr, Address>,
    proxies: usize,
    by_proxy: HashMap<String, usize>,
    pub(super) stopping: bool,
    /// How many were closed or refused since it was last said in the log, and when that was.
    pub(super) unsaid: u64,
    pub(super) said: Option<Instant>,
}

impl Place {
    /// It has no request, and none has begun to come.
    pub(super) fn is_idle(&self) -> bool {
        self.exchanges.is_empty() && self.head.is_none() && self.frame.is_none()
    }

    fn rank(&self, now: Instant) -> Option<Rank> {
        if self.blocked.is_some() {
            return Some(Rank::Blocked);
        }
        if self.exchanges.values().any(|exchange| exchange.is_at_work(now)) {
            return None;
        }
        if self.exchanges.values().any(|exchange| exchange.is_stalled(now)) {
            return Some(Rank::Blocked);
        }
        Some(if self.fresh { Rank::Headless } else { self.caller })
    }
}

impl Registry {
    fn next(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> usize {
        self.open.len().saturating_add(self.beside)
    }

    /// How many places this address has taken.
    pub(super) fn taken_by(&self, address: IpAddr) -> usize {
        self.addresses.get(&address).map_or(0, |address| address.taken)
    }

    /// Another connection of this address.
    pub(super) fn add(&mut self, address: IpAddr, wake: Arc<Notify>) -> u64 {
        let id = self.next();
        let now = Instant::now();
        let of_address = self.addresses.entry(address).or_default();
        of_address.taken = of_address.taken.saturating_add(1);
        let place = Place {
            address,
            head: Some(now),
            frame: None,
            fresh: true,
            handshake: false,
            http2: false,
            ending: false,
            caller: Rank::Stranger,
            blocked: None,
            idle: now,
            exchanges: BTreeMap::new(),
            key: None,
            wake,
        };
        self.open.insert(id, place);
        self.rank(id);
        id
    }

    /// The connection has ended, or has to.
    pub(super) fn remove(&mut self, id: u64) -> Option<Place> {
        let mut place = self.open.remove(&id)?;
        let beside = place.exchanges.len().saturating_sub(1);
        self.beside = self.beside.saturating_sub(beside);
        for exchange in std::mem::take(&mut place.exchanges).into_values() {
            self.leave_proxies(exchange);
        }
        if let Some(key) = place.key {
            self.evictable.remove(&key);
        }
        if let Some(address) = self.addresses.get_mut(&place.address) {
            address.taken = address.taken.saturating_sub(1).saturating_sub(beside);
            if let Some(key) = place.key {
                address.evictable.remove(&(key, id));
            }
            if address.taken == 0 {
                self.addresses.remove(&place.address);
            }
        }
        Some(place)
    }

    /// The connection that gives way first, but not `except`; of this address, where one is named.
    pub(super) fn least_needed(&self, address: Option<IpAddr>, except: Option<u64>) -> Option<u64> {
        let other = |id: &u64| Some(*id) != except;
        match address {
            None => self.evictable.values().copied().find(other),
            Some(address) => {
                let evictable = &self.addresses.get(&address)?.evictable;
                evictable.iter().map(|(_, id)| *id).find(other)
            }
        }
    }

    /// Puts the connection where its state belongs among those that give way.
    pub(super) fn rank(&mut self, id: u64) {
        let order = self.next();
        let Some(place) = self.open.get_mut(&id) else { return };
        let rank = place.rank(Instant::now());
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

    /// The address of the connection, if a request on it would be beside another one.
    pub(super) fn beside(&self, id: u64) -> Option<IpAddr> {
        let place = self.open.get(&id)?;
        (!place.exchanges.is_empty()).then_some(place.address)
    }

    /// The head of a request has come whole. Its number on the connection.
    pub(super) fn begin(&mut self, id: u64, phase: Phase) -> u64 {
        let number = self.next();
        let Some(place) = self.open.get_mut(&id) else { return number };
        if !place.exchanges.is_empty() {
            self.beside = self.beside.saturating_add(1);
            if let Some(address) = self.addresses.get_mut(&place.address) {
                address.taken = address.taken.saturating_add(1);
            }
        }
        (place.head, place.fresh) = (None, false);
        place.exchanges.insert(number, ExchangeState::new(phase));
        self.rank(id);
        number
    }

    /// Changes what a request is at.
    pub(super) fn change(&mut self, id: u64, number: u64, change: impl FnOnce(&mut ExchangeState)) {
        if let Some(exchange) = self.exchange(id, number) {
            change(exchange);
            self.rank(id);
        }
    }

    /// What a request is at, as long as it and its connection are there.
    pub(super) fn exchange(&mut self, id: u64, number: u64) -> Option<&mut ExchangeState> {
        self.open.get_mut(&id)?.exchanges.get_mut(&number)
    }

    /// The answer was taken, or will not be.
    pub(super) fn end(&mut self, id: u64, number: u64) {
        let Some(place) = self.open.get_mut(&id) else { return };
        let Some(exchange) = place.exchanges.remove(&number) else { return };
        if place.exchanges.is_empty() {
            place.idle = Instant::now();
        } else {
            self.beside = self.beside.saturating_sub(1);
            if let Some(address) = self.addresses.get_mut(&place.address) {
                address.taken = address.taken.saturating_sub(1);
            }
        }
        self.leave_proxies(exchange);
        self.rank(id);
    }

    /// A request's head begins to come, in HTTP/1.
    pub(super) fn head(&mut self, id: u64) {
        if let Some(place) = self.open.get_mut(&id) {
            place.head = Some(Instant::now());
        }
        self.rank(id);
    }

    /// A frame of HTTP/2 begins to come, or has come.
    pub(super) fn frame(&mut self, id: u64, begins: bool) {
        if let Some(place) = self.open.get_mut(&id) {
            place.frame = begins.then(Instant::now);
        }
    }

    /// Nothing can be written, or something again.
    pub(super) fn blocked(&mut self, id: u64, blocked: bool) {
        if let Some(place) = self.open.get_mut(&id) {
            place.blocked = blocked.then(Instant::now);
        }
        self.rank(id);
    }

    /// The client is told that the idle connection ends: it has a short time for that. False if it had it already.
    pub(super) fn ends(&mut self, id: u64) -> bool {
        let Some(place) = self.open.get_mut(&id) else { return false };
        place.idle = Instant::now();
        !std::mem::replace(&mut place.ending, true)
    }

    /// The request has that credential.
    pub(super) fn known(
        &mut self,
        limits: &Limits,
        (id, number): (u64, u64),
        known: Known<'_>,
    ) -> Result<(), Full> {
        let Some(place) = self.open.get_mut(&id) else { return Ok(()) };
        let Some(exchange) = place.exchanges.get_mut(&number) else { return Ok(()) };
        match known {
            Known::Person => place.caller = Rank::Person,
            Known::Proxy(name) => {
                if exchange.proxy.is_none() {
                    let of_credential = self.by_proxy.entry(name.to_owned()).or_default();
                    if self.proxies >= limits.proxies() || *of_credential >= limits.per_proxy() {
                        return Err(Full::Proxies);
                    }
                    self.proxies = self.proxies.saturating_add(1);
                    *of_credential = of_credential.saturating_add(1);
                    exchange.proxy = Some(name.to_owned());
                }
                place.caller = Rank::Proxy;
            }
        }
        self.rank(id);
        Ok(())
    }

    /// The request, if it is a proxy's, is at work no more.
    fn leave_proxies(&mut self, exchange: ExchangeState) {
        let Some(name) = exchange.proxy else { return };
        self.proxies = self.proxies.saturating_sub(1);
        if let Some(of_credential) = self.by_proxy.get_mut(&name) {
            *of_credential = of_credential.saturating_sub(1);
            if *of_credential == 0 {
                self.by_proxy.remove(&name);
            }
        }
    }

    /// Whether the connection is late, and if not, when it could be.
    pub(super) fn due(&mut self, id: u64, times: &Times) -> Due {
        self.rank(id);
        let Some(place) = self.open.get(&id) else { return Due::Gone };
        let last = self.stopping || place.ending;
        let head = if last { times.last_head.min(times.head) } else { times.head };
        let (head, slow) = match place.handshake {
            true if !last => (times.handshake.min(head), Closed::SlowHandshake),
            true => (head, Closed::SlowHandshake),
            false => (head, Closed::SlowHead),
        };
        let idle = if last { times.last_head.min(times.idle) } else { times.idle };
        let of_connection = [
            place.head.map(|since| (since, head, slow)),
            place.frame.map(|since| (since, head, Closed::SlowHead)),
            place.blocked.map(|since| (since, times.write, Closed::AnswerNotRead)),
            place.is_idle().then_some((place.idle, idle, Closed::Idle)),
        ];
        let ends = of_connection.into_iter().flatten();
        let ends = ends.chain(place.exchanges.values().flat_map(|one| one.limits(times)));
        let ends = ends.filter_map(|(since, limit, why)| Some((since.checked_add(limit)?, why)));
        let now = Instant::now();
        match ends.min_by_key(|(end, _)| *end) {
            Some((end, why)) if end <= now => Due::Late(why),
            end => {
                let stalls = place.exchanges.values().filter_map(|one| one.stalls_after(now));
                Due::At(end.map(|(end, _)| end).into_iter().chain(stalls).min())
            }
        }
    }
}
