//! When a report is made, and when again: one at a time, at most one in [`INTERVAL`], and after a failure later and later.

use std::time::Duration;

use breakglass_types::limits::MAX_ALERTS;

use super::answer::Arrival;
use super::table::Batch;
use crate::instant::Instant;

/// The shortest time between two reports.
const INTERVAL: Duration = Duration::from_millis(250);

/// The first wait after a report that failed; it doubles up to [`LAST_RETRY`]. Up to half of it is left to chance, so that
/// the VMs of a fleet do not come back at one moment.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// The longest wait after a report that failed: how late a service that is back is noticed at most.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// What is under way, and what is to come.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The alerts of the report that is under way, and how many it says were dropped.
    under_way: Option<(Batch, u64)>,
    /// When the next one may be made at the earliest.
    next: Option<Instant>,
    failures: u32,
    /// The most alerts in a report: fewer, where one was refused.
    most: usize,
    random: u64,
}

impl Delivery {
    pub(super) fn new(random: [u8; 16]) -> Delivery {
        let random = random.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Delivery { under_way: None, next: None, failures: 0, most: MAX_ALERTS, random }
    }

    /// Whether a report can be made now, and of how many alerts.
    pub(super) fn may_send(&self, now: Instant) -> Option<usize> {
        // A clock that was set back must not keep a report from being made.
        let is_early = |next: Instant| now < next && next <= now.after(LAST_RETRY);
        let waits = self.is_under_way() || self.next.is_some_and(is_early);
        (!waits).then_some(self.most)
    }

    /// When the next one may be made at the earliest.
    pub(super) fn earliest(&self) -> Instant {
        self.next.unwrap_or(Instant::from_millis(0))
    }

    /// Whether one is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// A report of these is made.
    pub(super) fn began(&mut self, batch: Batch, dropped: u64, now: Instant) {
        self.next = Some(now.after(INTERVAL));
        self.under_way = Some((batch, dropped));
    }

    /// The report that was under way came to this: what it was of.
    pub(super) fn ended(&mut self, arrival: Arrival, now: Instant) -> Option<(Batch, u64)> {
        let (batch, dropped) = self.under_way.take()?;
        match arrival {
            Arrival::Arrived => (self.failures, self.most) = (0, MAX_ALERTS),
            // One of them may be what is not taken, or all are too many.
            Arrival::Refused => (self.failures, self.most) = (0, (batch.len() / 2).max(1)),
            Arrival::Failed => {
                self.failures = self.failures.saturating_add(1);
                self.next = Some(now.after(self.wait()));
            }
        }
        Some((batch, dropped))
    }

    /// How long to wait after so many failures.
    fn wait(&mut self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1));
        let whole = FIRST_RETRY.saturating_mul(doubled).min(LAST_RETRY);
        let half = whole.checked_div(2).unwrap_or(whole);
        let chance = self.chance().checked_rem(u64::try_from(half.as_millis()).unwrap_or(1));
        half.saturating_add(Duration::from_millis(chance.unwrap_or(0)))
    }

    /// A number that differs from VM to VM, and from time to time (SplitMix64).
    fn chance(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const START: Instant = Instant::from_seconds(1_800_000_000);

    fn after(millis: u64) -> Instant {
        START.after(Duration::from_millis(millis))
    }

    fn sent(delivery: &mut Delivery, now: Instant) {
        assert!(delivery.may_send(now).is_some());
        delivery.began(Batch::new(), 0, now);
    }

    #[test]
    fn there_is_one_at_a_time_and_one_in_a_quarter_of_a_second() {
        let mut delivery = Delivery::new([1; 16]);
        sent(&mut delivery, START);
        assert_eq!(delivery.may_send(after(1000)), None);
        delivery.ended(Arrival::Arrived, after(10));
        assert_eq!((delivery.may_send(after(249)), delivery.earliest()), (None, after(250)));
        assert_eq!(delivery.may_send(after(250)), Some(MAX_ALERTS));
        assert_eq!(delivery.may_send(Instant::from_seconds(5)), Some(MAX_ALERTS), "set back");
    }

    #[test]
    fn after_failures_it_waits_longer_and_longer_and_not_as_long_as_another_vm() {
        let waits = |number: u8| {
            let mut delivery = Delivery::new([number; 16]);
            let mut now = START;
            (0..12)
                .map(|_| {
                    sent(&mut delivery, now);
                    delivery.ended(Arrival::Failed, now);
                    let wait = delivery.earliest().since(now);
                    now = delivery.earliest();
                    wait
                })
                .collect::<Vec<_>>()
        };
        let (one, other) = (waits(1), waits(2));
        for (failures, wait) in one.iter().enumerate() {
            let longest = (FIRST_RETRY * 2_u32.pow(failures as u32)).min(LAST_RETRY);
            assert!(longest / 2 <= *wait && *wait < longest, "{failures} {wait:?}");
        }
        assert_ne!(one, other);
    }

    #[test]
    fn a_report_that_is_refused_is_made_again_in_parts() {
        let mut delivery = Delivery::new([1; 16]);
        sent(&mut delivery, START);
        delivery.ended(Arrival::Refused, START);
        assert_eq!(delivery.may_send(after(250)), Some(1));
        sent(&mut delivery, after(250));
        delivery.ended(Arrival::Arrived, after(250));
        assert_eq!(delivery.may_send(after(500)), Some(MAX_ALERTS));
    }
}
