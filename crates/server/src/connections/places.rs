//! The places that connections take, and who gives way.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::exchange_state::{ExchangeState, Phase};
use super::limits::{Limits, Times};
use super::registry::{Due, Full, Known, Registry};
use crate::metrics::{Closed, ConnectionMetrics};
use crate::problem::{Problem, Reason};

/// How often it is said in the log that connections are refused or closed.
const LOG_EVERY: Duration = Duration::from_secs(10);

impl From<Full> for Problem {
    fn from(full: Full) -> Problem {
        let detail = match full {
            Full::Proxies => "too many requests of proxies are at work; try again",
            Full::Total | Full::Address => "there is no place for another connection; try again",
        };
        Problem::new(Reason::TooManyConnections, detail)
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    limits: Limits,
    metrics: ConnectionMetrics,
    inner: Mutex<Registry>,
}

/// The place of one connection, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    places: Arc<Places>,
    id: u64,
    wake: Arc<Notify>,
}

/// What is to be done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// To look again at this instant, if there is nothing before.
    Wait(Option<Instant>),
    /// To tell the client that it ends.
    End,
    /// To close it.
    Close,
}

/// What an endpoint can tell of its request to the connection: a request has it as an extension.
#[derive(Debug, Clone)]
pub struct Caller {
    connection: Arc<Connection>,
    number: u64,
}

impl Caller {
    pub(super) fn new((connection, number): (Arc<Connection>, u64)) -> Caller {
        Caller { connection, number }
    }

    /// The request has this credential.
    ///
    /// # Errors
    /// [`Full`] if a proxy may have no more requests at work.
    pub fn is(&self, known: Known<'_>) -> Result<(), Full> {
        let (places, id) = (&self.connection.places, self.connection.id);
        let known = places.inner().known(&places.limits, (id, self.number), known);
        known.inspect_err(|full| places.refused(*full))
    }
}

impl Places {
    pub(super) fn new(limits: Limits, metrics: ConnectionMetrics) -> Places {
        Places { limits, metrics, inner: Mutex::default() }
    }

    /// A place for a connection from this address.
    pub(super) fn admit(self: &Arc<Places>, address: IpAddr) -> Result<Connection, Full> {
        let address = network(address);
        let mut inner = self.inner();
        self.find_room(&mut inner, address, None)?;
        let wake = Arc::new(Notify::new());
        let id = inner.add(address, Arc::clone(&wake));
        self.metrics.open.inc();
        drop(inner);
        Ok(Connection { places: Arc::clone(self), id, wake })
    }

    /// Closes the connection that needs its place least, where all are taken; but not `except`.
    fn find_room(
        &self,
        inner: &mut Registry,
        address: IpAddr,
        except: Option<u64>,
    ) -> Result<(), Full> {
        if inner.taken_by(address) >= self.limits.per_address {
            self.make_room(inner, Some(address), except).ok_or(Full::Address)
        } else if inner.taken() >= self.limits.total {
            self.make_room(inner, None, except).ok_or(Full::Total)
        } else {
            Ok(())
        }
    }

    /// Closes the connection that needs its place least.
    fn make_room(
        &self,
        inner: &mut Registry,
        address: Option<IpAddr>,
        except: Option<u64>,
    ) -> Option<()> {
        let id = inner.least_needed(address, except)?;
        let place = inner.remove(id)?;
        self.metrics.open.dec();
        place.wake.notify_one();
        self.note(inner, Closed::GaveWay);
        Some(())
    }

    pub(super) fn refused(&self, full: Full) {
        let why = match full {
            Full::Total => Closed::NoPlace,
            Full::Address => Closed::NoPlaceForAddress,
            Full::Proxies => Closed::NoPlaceForProxy,
        };
        self.note(&mut self.inner(), why);
    }

    /// The system gives no file for another connection.
    pub(super) fn out_of_files(&self, cause: &std::io::Error) {
        tracing::debug!(%cause, "no connection accepted");
        let mut inner = self.inner();
        self.note(&mut inner, Closed::NoFile);
        self.make_room(&mut inner, None, None);
    }

    /// Counts it, and says it in the log from time to time.
    fn note(&self, inner: &mut Registry, why: Closed) {
        self.metrics.closed(why);
        let now = Instant::now();
        inner.unsaid = inner.unsaid.saturating_add(1);
        if inner.said.is_none_or(|said| now.saturating_duration_since(said) >= LOG_EVERY) {
            let (connections, open) = (inner.unsaid, inner.open.len());
            tracing::warn!(connections, open, latest = why.word(), "connections refused or closed");
            (inner.unsaid, inner.said) = (0, Some(now));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Registry> {
        // Each change below is made of steps that cannot panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// How long it may take for what.
    pub(super) fn times(&self) -> Times {
        self.places.limits.times
    }

    /// Bytes have come.
    pub(super) fn read(&self) {
        let mut inner = self.places.inner();
        if inner.open.get(&self.id).is_some_and(|place| place.is_idle() && !place.http2) {
            inner.head(self.id);
        }
    }

    /// It speaks HTTP/2: what comes is frames, and no longer the head of a request in any case.
    pub(super) fn speaks_http2(&self) {
        if let Some(place) = self.places.inner().open.get_mut(&self.id) {
            place.http2 = true;
        }
    }

    /// A frame of HTTP/2, or a head in several of them, is under way, or has come whole.
    pub(super) fn frame(&self, begins: bool) {
        self.places.inner().frame(self.id, begins);
    }

    /// A TLS handshake begins, or is done.
    pub(super) fn handshake(&self, begins: bool) {
        if let Some(place) = self.places.inner().open.get_mut(&self.id) {
            place.handshake = begins;
        }
    }

    /// A head has come whole. A request beside another one takes a place, as a connection does. The number of the exchange.
    pub(super) fn begin(&self, without_body: bool) -> Result<u64, Full> {
        let mut inner = self.places.inner();
        if let Some(address) = inner.beside(self.id) {
            let room = self.places.find_room(&mut inner, address, Some(self.id));
            if let Err(full) = room {
                drop(inner);
                self.places.refused(full);
                return Err(full);
            }
        }
        let phase = if without_body { Phase::Work } else { Phase::Body };
        Ok(inner.begin(self.id, phase))
    }

    /// Something changes in an exchange.
    pub(super) fn change(&self, number: u64, change: impl FnOnce(&mut ExchangeState)) {
        self.places.inner().change(self.id, number, change);
    }

    /// Until when the body of this exchange has to come, if it has not.
    pub(super) fn body_ends(&self, number: u64) -> Option<Instant> {
        let mut inner = self.places.inner();
        let exchange = inner.exchange(self.id, number)?;
        let since = (exchange.phase == Phase::Body).then_some(exchange.since)?;
        since.checked_add(self.places.limits.times.body)
    }

    /// The exchange is over.
    pub(super) fn end(&self, number: u64) {
        self.places.inner().end(self.id, number);
    }

    /// Nothing can be written, or something again.
    pub(super) fn blocked(&self, blocked: bool) {
        self.places.inner().blocked(self.id, blocked);
    }

    /// What is to be done with it now.
    pub(super) fn next(&self) -> Next {
        let mut inner = self.places.inner();
        match inner.due(self.id, &self.places.limits.times) {
            Due::At(end) => Next::Wait(end),
            Due::Gone => Next::Close,
            // Idle connections end: that is no news.
            Due::Late(Closed::Idle) if inner.ends(self.id) => {
                self.places.metrics.closed(Closed::Idle);
                Next::End
            }
            Due::Late(Closed::Idle) => Next::Close,
            Due::Late(why) => {
                self.places.note(&mut inner, why);
                Next::Close
            }
        }
    }

    /// Counts why it, or a request of it, is closed.
    pub(super) fn note(&self, why: Closed) {
        self.places.note(&mut self.places.inner(), why);
    }

    /// What is to be done with it may have changed.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Returns when that may be so.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The service is about to end.
    pub(super) fn stop(&self) {
        self.places.inner().stopping = true;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.places.inner().remove(self.id).is_some() {
            self.places.metrics.open.dec();
        }
    }
}

/// The address by which a source is counted: a host that has one address of a network of IPv6 has all of it.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address => address,
    }
}
