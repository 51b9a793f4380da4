//! The queue: for each kind and grant one alert at a time, which stands for all that happens until it is sent, and for a
//! minute after that what happens makes the next one.
//!
//! INVARIANT (one-place): an entry is in one place: due, under way, or resting. What it has pending is due when it is
//! sent, and when its rest is over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use breakglass_types::alerts::{AlertKind, FRAME_BYTES};
use breakglass_types::limits::{MAX_ALERT_BYTES, MAX_ALERTS_BODY_BYTES};

use super::described::Alert;
use crate::instant::Instant;

/// For how long one alert stands for all of its kind and grant.
const REST: Duration = Duration::from_secs(60);

/// The most bytes of alerts that wait, those under way included.
const MAX_BYTES: usize = 64 * 1024;

/// The most kinds and grants that are told apart at a time.
const MAX_ENTRIES: usize = 1024;

/// How many resting entries are looked at for one to forget: the work for one decision is bounded.
const LOOKED_AT: usize = 16;

/// What a count can grow by in a report, and the comma after an alert, in bytes.
const GROWTH: usize = 20;

// One alert at least fits into each report: INVARIANT (alert-fits).
const _: () = assert!(MAX_ALERT_BYTES + FRAME_BYTES <= MAX_ALERTS_BODY_BYTES);
const _: () = assert!(MAX_ALERT_BYTES <= MAX_BYTES);

/// What alerts are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: AlertKind,
    /// A number of the grant, or of the issuer.
    pub(super) about: u64,
}

/// What was counted since the last tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AlertCounts {
    /// Alerts that have arrived.
    pub(crate) sent: u64,
    /// What was told by the count of an alert that has arrived, besides the one that it is about.
    pub(crate) suppressed: u64,
    /// What was dropped.
    pub(crate) dropped: u64,
}

/// An alert that is to be sent.
#[derive(Debug)]
pub(super) struct Pending {
    alert: Alert,
    last: Instant,
    count: u64,
    /// What it takes in a report at most.
    bytes: usize,
}

/// Alerts that are in one report.
pub(super) type Batch = Vec<(Key, Box<Pending>)>;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<Key, Option<Box<Pending>>>,
    due: VecDeque<Key>,
    /// Until when, soonest first.
    resting: VecDeque<(Instant, Key)>,
    /// How many entries have something pending.
    pending: usize,
    bytes: usize,
    /// Whether an alert did not fit since something was taken out.
    is_full: bool,
    /// What was dropped and is not reported.
    untold: u64,
    counts: AlertCounts,
}

impl Pending {
    /// As it is in a report.
    pub(super) fn alert(&self) -> &Alert {
        &self.alert
    }

    fn add(&mut self, count: u64, now: Instant) {
        self.count = self.count.saturating_add(count);
        self.last = now;
    }

    /// One for this one and what came after it.
    fn and(mut self: Box<Pending>, newer: Pending) -> Box<Pending> {
        self.add(newer.count, newer.last);
        if self.lasts() {
            let first = std::mem::take(&mut self.alert.first);
            self.alert = Alert { first, ..newer.alert };
            self.bytes = newer.bytes;
        }
        self
    }

    /// Whether it tells of a state: then the last one counts.
    fn lasts(&self) -> bool {
        self.alert.over.is_some()
    }
}

impl Table {
    /// Something has happened so many times, the first time then. `describe` makes the alert of it, if one is to be made.
    pub(super) fn cause(
        &mut self,
        key: Key,
        (count, first): (u64, Instant),
        now: Instant,
        describe: impl FnOnce(Box<str>) -> Alert,
    ) {
        let is_known = match self.entries.get_mut(&key) {
            Some(Some(pending)) => return pending.add(count, now),
            Some(None) => true,
            None => false,
        };
        if !is_known && self.entries.len() >= MAX_ENTRIES && !self.forget_one() {
            return self.lose(count);
        }
        let Some(alert) = self.fitting(|| describe(first.rfc3339().into())) else {
            return self.lose(count);
        };
        let (alert, bytes) = alert;
        let pending = Box::new(Pending { alert, last: now, count, bytes });
        self.bytes = self.bytes.saturating_add(bytes);
        self.pending = self.pending.saturating_add(1);
        if self.entries.insert(key, Some(pending)).is_none() {
            self.due.push_back(key);
        }
    }

    /// A state is another one now. What is pending tells of the last one.
    pub(super) fn cause_state(
        &mut self,
        key: Key,
        now: Instant,
        describe: impl FnOnce(Box<str>) -> Alert,
    ) {
        let Some(Some(pending)) = self.entries.get_mut(&key) else {
            return self.cause(key, (1, now), now, describe);
        };
        let first = pending.alert.first.clone();
        let alert = Alert { first, ..describe(now.rfc3339().into()) };
        let bytes = size(&alert);
        let total = self.bytes.saturating_sub(pending.bytes).saturating_add(bytes);
        pending.add(1, now);
        if total <= MAX_BYTES {
            (pending.alert, pending.bytes, self.bytes) = (alert, bytes, total);
        } else {
            // Its words are of the state before.
            pending.alert.over = alert.over;
        }
    }

    /// The alert, and its bytes, if there is room for it. While there is none, none is made.
    fn fitting(&mut self, describe: impl FnOnce() -> Alert) -> Option<(Alert, usize)> {
        if self.is_full {
            return None;
        }
        let alert = describe();
        let bytes = size(&alert);
        let fits = bytes <= MAX_ALERT_BYTES && self.bytes.saturating_add(bytes) <= MAX_BYTES;
        self.is_full = !fits;
        fits.then_some((alert, bytes))
    }

    /// Makes room for another entry: forgets one of which nothing has happened since it was sent. Whether there is room.
    fn forget_one(&mut self) -> bool {
        let is_idle = |(_, key): &(Instant, Key)| matches!(self.entries.get(key), Some(None));
        let found = self.resting.iter().take(LOOKED_AT).position(is_idle);
        let Some((_, key)) = found.and_then(|at| self.resting.remove(at)) else { return false };
        self.entries.remove(&key);
        true
    }

    fn lose(&mut self, count: u64) {
        self.untold = self.untold.saturating_add(count);
        self.counts.dropped = self.counts.dropped.saturating_add(count);
    }

    /// Ends the rests that are over, or all of them.
    pub(super) fn wake(&mut self, all: bool, now: Instant) {
        while let Some((until, key)) = self.resting.front().copied() {
            // A clock that was set back must not let one rest for longer.
            if !(all || until <= now || now.after(REST) < until) {
                break;
            }
            self.resting.pop_front();
            match self.entries.get(&key) {
                Some(Some(_)) => self.due.push_back(key),
                Some(None) | None => drop(self.entries.remove(&key)),
            }
        }
    }

    /// Takes what is due: so many alerts at most, and no more than fit into one report.
    pub(super) fn take(&mut self, most: usize) -> Batch {
        let mut batch = Batch::new();
        let mut room = MAX_ALERTS_BODY_BYTES.saturating_sub(FRAME_BYTES);
        while batch.len() < most
            && let Some(key) = self.due.front().copied()
        {
            let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.is_some()) else {
                // Nothing that is due has nothing pending: INVARIANT (one-place).
                self.due.pop_front();
                continue;
            };
            let Some(mut pending) = entry.take_if(|pending| pending.bytes <= room) else { break };
            self.due.pop_front();
            self.pending = self.pending.saturating_sub(1);
            room = room.saturating_sub(pending.bytes);
            pending.alert.count = pending.count;
            pending.alert.last = pending.last.rfc3339().into();
            batch.push((key, pending));
        }
        batch
    }

    /// A report has arrived: its alerts, and what it said of what was dropped.
    pub(super) fn arrived(&mut self, batch: Batch, dropped: u64, now: Instant) {
        self.untold = self.untold.saturating_sub(dropped);
        for (key, pending) in batch {
            self.free(&pending);
            self.counts.sent = self.counts.sent.saturating_add(1);
            let others = pending.count.saturating_sub(1);
            self.counts.suppressed = self.counts.suppressed.saturating_add(others);
            self.resting.push_back((now.after(REST), key));
        }
    }

    /// None of the alerts of a report was taken: they are due again, before all others.
    pub(super) fn refused(&mut self, batch: Batch) {
        for (key, pending) in batch.into_iter().rev() {
            let newer = self.entries.get_mut(&key).and_then(Option::take);
            let pending = match newer {
                Some(newer) => {
                    let both = pending.bytes.saturating_add(newer.bytes);
                    let one = pending.and(*newer);
                    self.bytes = self.bytes.saturating_sub(both).saturating_add(one.bytes);
                    self.is_full = false;
                    one
                }
                None => {
                    self.pending = self.pending.saturating_add(1);
                    pending
                }
            };
            self.entries.insert(key, Some(pending));
            self.due.push_front(key);
        }
    }

    /// The alerts of a report are dropped.
    pub(super) fn given_up(&mut self, batch: &Batch) {
        for (key, pending) in batch {
            self.give_up(*key, pending);
        }
    }

    fn give_up(&mut self, key: Key, pending: &Pending) {
        self.free(pending);
        self.lose(pending.count);
        match self.entries.get(&key) {
            Some(Some(_)) => self.due.push_back(key),
            Some(None) | None => drop(self.entries.remove(&key)),
        }
    }

    fn free(&mut self, pending: &Pending) {
        self.bytes = self.bytes.saturating_sub(pending.bytes);
        self.is_full = false;
    }

    /// Whether some alert is to be sent now.
    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// When what rests is to be sent, if something is; or earlier.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let (until, _) = self.resting.front()?;
        (self.pending > self.due.len()).then_some(*until)
    }

    /// Whether nothing is pending.
    pub(super) fn is_told(&self) -> bool {
        self.pending == 0
    }

    /// What was dropped and is not reported.
    pub(super) fn untold(&self) -> u64 {
        self.untold
    }

    /// Bytes of the alerts that wait, those under way included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn take_counts(&mut self) -> AlertCounts {
        std::mem::take(&mut self.counts)
    }
}

/// What an alert takes in a report at most, in bytes.
fn size(alert: &Alert) -> usize {
    // Nothing in an alert can fail to be written; one that did would not fit.
    serde_json::to_vec(alert).map_or(usize::MAX, |text| text.len().saturating_add(GROWTH))
}

#[cfg(test)]
mod tests;
