//! The places that connections take, and who gives way.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::limits::Limits;
use super::registry::{At, Full, Known, Registry};
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
    evict: Arc<Notify>,
}

/// What an endpoint can tell of its connection: a request has it as an extension.
#[derive(Debug, Clone)]
pub struct Caller(pub(super) Arc<Connection>);

impl Caller {
    /// The request has this credential.
    ///
    /// # Errors
    /// [`Full`] if a proxy may have no more requests at work.
    pub fn is(&self, known: Known<'_>) -> Result<(), Full> {
        let (places, id) = (&self.0.places, self.0.id);
        let known = places.inner().known(&places.limits, id, known);
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
        if inner.of_address(address) >= self.limits.per_address {
            self.make_room(&mut inner, Some(address)).ok_or(Full::Address)?;
        } else if inner.open.len() >= self.limits.total {
            self.make_room(&mut inner, None).ok_or(Full::Total)?;
        }
        let evict = Arc::new(Notify::new());
        let id = inner.add(address, Arc::clone(&evict));
        self.metrics.open.inc();
        drop(inner);
        Ok(Connection { places: Arc::clone(self), id, evict })
    }

    /// Closes the connection that needs its place least.
    fn make_room(&self, inner: &mut Registry, address: Option<IpAddr>) -> Option<()> {
        let id = inner.least_needed(address)?;
        let place = inner.remove(id)?;
        self.metrics.open.dec();
        place.evict.notify_one();
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
        self.make_room(&mut inner, None);
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
    /// Bytes have come.
    pub(super) fn read(&self) {
        let mut inner = self.places.inner();
        let idle = inner.open.get(&self.id).is_some_and(|place| place.at == At::Idle);
        if idle {
            inner.enter(self.id, At::Head);
        }
    }

    /// A TLS handshake begins, or is done.
    pub(super) fn handshake(&self, begins: bool) {
        if let Some(place) = self.places.inner().open.get_mut(&self.id) {
            place.handshake = begins;
        }
    }

    /// A head has come whole.
    pub(super) fn head(&self, without_body: bool) {
        self.places.inner().enter(self.id, if without_body { At::Work } else { At::Body });
    }

    /// The body has come whole, or is not wanted.
    pub(super) fn body(&self) {
        let mut inner = self.places.inner();
        if inner.open.get(&self.id).is_some_and(|place| place.at == At::Body) {
            inner.enter(self.id, At::Work);
        }
    }

    /// The answer begins.
    pub(super) fn answer(&self) {
        self.places.inner().enter(self.id, At::Answer);
    }

    /// The answer was handed over.
    pub(super) fn idle(&self) {
        let mut inner = self.places.inner();
        inner.leave_proxies(self.id);
        inner.enter(self.id, At::Idle);
    }

    /// Nothing can be written, or something again.
    pub(super) fn blocked(&self, blocked: bool) {
        let mut inner = self.places.inner();
        if let Some(place) = inner.open.get_mut(&self.id) {
            place.blocked = blocked.then(Instant::now);
        }
        inner.rank(self.id);
    }

    /// Until when what it is waited for has to come.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.places.inner().deadline(self.id, &self.places.limits.times)
    }

    /// It did not.
    pub(super) fn timed_out(&self) {
        let mut inner = self.places.inner();
        let Some(place) = inner.open.get(&self.id) else { return };
        let why = match place.at {
            // Idle connections end: that is no news.
            At::Idle if place.blocked.is_none() => return self.places.metrics.closed(Closed::Idle),
            At::Head if place.handshake => Closed::SlowHandshake,
            At::Head => Closed::SlowHead,
            At::Body => Closed::SlowBody,
            At::Idle | At::Answer | At::Work => Closed::AnswerNotRead,
        };
        self.places.note(&mut inner, why);
    }

    /// Returns when the connection has to give way.
    pub(super) async fn evicted(&self) {
        self.evict.notified().await;
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

/// Who has one address of a network of IPv6 has all of it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address => address,
    }
}
