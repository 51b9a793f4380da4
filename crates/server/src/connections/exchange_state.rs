//! What a request and its answer are at.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::Times;
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
    pub(super) unsent: usize,
    /// Since when nothing of them was sent.
    pub(super) rests: Option<Instant>,
}

impl ExchangeState {
    pub(super) fn new(phase: Phase) -> ExchangeState {
        ExchangeState { phase, since: Instant::now(), proxy: None, unsent: 0, rests: None }
    }

    pub(super) fn enter(&mut self, phase: Phase) {
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
    /// see `Exchange::body_is_late`.
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
