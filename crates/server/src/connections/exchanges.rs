//! One request and its answer: an exchange. A connection of HTTP/1 has one at a time, one of HTTP/2 several.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::limits::Times;
use super::places::Connection;
use crate::metrics::Closed;

/// How long an answer may rest before its connection counts among those that do not take theirs.
const STALL: Duration = Duration::from_secs(1);

/// What a request is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its body comes.
    Body,
    /// The endpoint works, or waits. It has a limit of its own.
    Work,
    /// The answer goes out.
    Answer,
}

/// The state of one exchange.
#[derive(Debug)]
pub(super) struct ExchangeState {
    pub(super) phase: Phase,
    pub(super) since: Instant,
    /// The credential of the proxy whose request it is.
    pub(super) proxy: Option<String>,
    /// Parts of the answer that were handed to the connection and are not sent.
    unsent: usize,
    /// Since when nothing of them was sent.
    rests: Option<Instant>,
}

impl ExchangeState {
    pub(super) fn new(phase: Phase) -> ExchangeState {
        ExchangeState { phase, since: Instant::now(), proxy: None, unsent: 0, rests: None }
    }

    fn enter(&mut self, phase: Phase) {
        (self.phase, self.since) = (phase, Instant::now());
    }

    /// The service has something to do for it, or its client takes the answer.
    pub(super) fn is_at_work(&self, now: Instant) -> bool {
        self.phase != Phase::Body && !self.is_stalled(now)
    }

    /// The client does not take the answer.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.rests.is_some() && self.stalls_after(now).is_none()
    }

    /// When it stalls, if that is after `now`.
    pub(super) fn stalls_after(&self, now: Instant) -> Option<Instant> {
        self.rests?.checked_add(STALL).filter(|at| *at > now)
    }

    /// What the connection may wait for: since when, how long, and why it is closed then. Nothing waits here for a body:
    /// see [`Exchange::body_is_late`].
    pub(super) fn limits(
        &self,
        times: &Times,
    ) -> impl Iterator<Item = (Instant, Duration, Closed)> {
        let answer = (self.phase == Phase::Answer).then_some((self.since, times.answer));
        let write = self.rests.map(|since| (since, times.write));
        let limits = [answer, write].into_iter().flatten();
        limits.map(|(since, limit)| (since, limit, Closed::AnswerNotRead))
    }
}

/// One exchange, which is over when this is dropped: when the answer was sent, or will not be.
#[derive(Debug)]
pub(super) struct Exchange {
    connection: Arc<Connection>,
    number: u64,
    http2: bool,
}

impl Exchange {
    pub(super) fn new(connection: Arc<Connection>, number: u64, http2: bool) -> Exchange {
        Exchange { connection, number, http2 }
    }

    /// The connection, and the number of the exchange.
    pub(super) fn key(&self) -> (Arc<Connection>, u64) {
        (Arc::clone(&self.connection), self.number)
    }

    /// What is sent waits for a window of HTTP/2, in which case the connection tells when it was sent.
    pub(super) fn http2(&self) -> bool {
        self.http2
    }

    /// The answer begins.
    pub(super) fn answer(&self) {
        self.connection.change(self.number, |one| one.enter(Phase::Answer));
    }

    /// A part of the answer was handed over to be sent.
    pub(super) fn handed_over(&self) {
        self.connection.change(self.number, |one| {
            one.unsent = one.unsent.saturating_add(1);
            one.rests.get_or_insert_with(Instant::now);
        });
        // The connection's task may be at rest, and has another limit now.
        self.connection.wake();
    }

    /// Something of it was sent.
    pub(super) fn sends(&self) {
        self.connection.change(self.number, |one| one.rests = Some(Instant::now()));
    }

    /// It was sent, or will not be.
    pub(super) fn sent(&self) {
        self.connection.change(self.number, |one| {
            one.unsent = one.unsent.saturating_sub(1);
            if one.unsent == 0 {
                one.rests = None;
            }
        });
    }

    /// Returns when the body has not come in time; never, where it has.
    pub(super) async fn body_is_late(&self) {
        if let Some(end) = self.connection.body_ends(self.number) {
            tokio::time::sleep_until(end).await;
            if self.connection.body_ends(self.number).is_some() {
                return self.connection.note(Closed::SlowBody);
            }
        }
        std::future::pending().await
    }
}

/// The body of this request has come whole, or is not wanted.
pub(super) fn body_came(connection: &Connection, number: u64) {
    connection.change(number, |one| {
        if one.phase == Phase::Body {
            one.enter(Phase::Work);
        }
    });
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.end(self.number);
        if self.http2 {
            self.connection.wake();
        }
    }
}
