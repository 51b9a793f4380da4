//! What is measured of a worker: what all VMs of the process hold together, when the feed and the keys were fresh, and
//! whether its chain takes the place of one that ended without saying so.
//!
//! When something was fresh is told, not how long ago that is: a time stays true while a worker does nothing, and does not
//! look well when the VM is gone.

use crate::instant::Instant;
use crate::sharing::{Board, Load, began_before, ends};

use super::Worker;

const LIVE_STREAMS: &str = "live_streams";
const ALERT_QUEUE_BYTES: &str = "alert_queue_bytes";
const FEED_FRESH: &str = "feed_fresh_timestamp_seconds";
const FEED_MAX_STALENESS: &str = "feed_max_staleness_seconds";
const KEYS_FRESH: &str = "keys_fresh_timestamp_seconds";

impl Worker {
    /// Time passes for the first time: looks whether this VM takes the place of one that crashed, and lets the gauges be
    /// there. Another VM may have set them.
    pub(super) fn begin(&mut self, board: &dyn Board, now: Instant) {
        if !self.measuring.begins() {
            return;
        }
        if self.shares_beginnings()
            && let Some(before) = began_before(board, self.identity.digest, now)
        {
            self.recorder.count_call("chain", "restarted");
            if let Some(alerts) = &mut self.alerts {
                alerts.restarted(before, now);
            }
        }
        let measures = self.recorder.measures();
        if self.config.revocation.feed.is_some() {
            measures.declare(FEED_FRESH);
            measures.set(FEED_MAX_STALENESS, self.config.revocation.max_staleness.as_secs());
        }
        if self.learner.keys().oldest_fetch().is_some() {
            measures.declare(KEYS_FRESH);
        }
    }

    /// Says what this VM holds, if it is time.
    pub(super) fn measure(&mut self, board: &dyn Board, now: Instant) {
        let mine = self.load();
        let Some(load) = &mut self.measuring.load else { return };
        if let Some(Load { streams, alert_bytes }) = load.share(board, mine, now) {
            let measures = self.recorder.measures();
            measures.set(LIVE_STREAMS, streams);
            measures.set(ALERT_QUEUE_BYTES, alert_bytes);
        }
    }

    /// When that is to be said next, if it is to be said.
    pub(super) fn next_measure(&self) -> Option<Instant> {
        self.measuring.load.as_ref()?.next(self.load())
    }

    /// The feed has answered.
    pub(super) fn measure_feed(&mut self) {
        if let Some(as_of) = self.learner.feed_as_of() {
            self.recorder.measures().set(FEED_FRESH, as_of.seconds());
        }
    }

    /// An issuer was asked for its keys.
    pub(super) fn measure_keys(&mut self) {
        if let Some(oldest) = self.learner.keys().oldest_fetch() {
            self.recorder.measures().set(KEYS_FRESH, oldest.seconds());
        }
    }

    /// This worker is at its end, and has no stream: nothing of it is to be measured any more.
    pub(super) fn end_measures(&mut self, board: &dyn Board, now: Instant) {
        if let Some(load) = &mut self.measuring.load {
            load.leave(board, now);
        }
        if self.shares_beginnings() {
            ends(board, self.identity.digest);
        }
    }

    /// Whether the VMs tell each other when their chains begin: without a credential nothing is shared, but what alerts take.
    fn shares_beginnings(&self) -> bool {
        self.config.revocation.credential.is_some() || self.alerts.is_some()
    }

    fn load(&self) -> Load {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let alert_bytes = self.alerts.as_deref().map_or(0, |alerts| alerts.bytes());
        Load { streams: count(self.streams.with_deadline()), alert_bytes: count(alert_bytes) }
    }
}
