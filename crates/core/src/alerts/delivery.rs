//! When a report is made, and when again: one at a time, at most one in [`INTERVAL`], and after a failure later and later.
//!
//! INVARIANT (same-report): a report that may have arrived is made again as it was, under its own id, until it is known what
//! came of it: the service counts it once.

use std::time::Duration;

use breakglass_types::alerts::{ReportId, SENDER_DIGITS};
use breakglass_types::hex;
use breakglass_types::limits::MAX_ALERTS;
use sha2::{Digest as _, Sha256};

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

/// After how many attempts a report is given up: with the longest wait between them about fifty minutes.
const MAX_ATTEMPTS: u8 = 100;

/// A report.
#[derive(Debug)]
pub(super) struct Report {
    /// Its number among those of this VM.
    number: u64,
    /// What it is of.
    pub(super) batch: Batch,
    /// How many things it says were dropped.
    pub(super) dropped: u64,
    attempts: u8,
}

/// What came of a report.
#[derive(Debug)]
pub(super) enum Ended {
    /// The approval service has it.
    Arrived(Report),
    /// It is not taken, and none of it has been.
    Refused(Report),
    /// It is not known to have arrived, and was made often enough.
    GivenUp(Report),
    /// It is made again.
    Again,
}

/// What is under way, and what is to come.
#[derive(Debug)]
pub(super) struct Delivery {
    /// By what the service knows this VM's reports.
    sender: String,
    /// The number of the next report.
    number: u64,
    under_way: Option<Report>,
    /// The report that is to be made again, before any other.
    again: Option<Report>,
    /// When the next one may be made at the earliest.
    next: Option<Instant>,
    failures: u32,
    /// The most alerts in a report: fewer, where one was refused.
    most: usize,
    random: u64,
}

impl Delivery {
    pub(super) fn new(random: [u8; 16]) -> Delivery {
        // Other things are made of the same random bytes: what is told to the service must not give them away.
        let sender = Sha256::new().chain_update("breakglass alerts").chain_update(random);
        let mut sender = hex::lower(&sender.finalize());
        sender.truncate(SENDER_DIGITS);
        let random = random.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Delivery {
            sender,
            number: 0,
            under_way: None,
            again: None,
            next: None,
            failures: 0,
            most: MAX_ALERTS,
            random,
        }
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

    /// Whether one is to be made again.
    pub(super) fn repeats(&self) -> bool {
        self.again.is_some()
    }

    /// The report that is to be made again.
    pub(super) fn again(&mut self) -> Option<Report> {
        self.again.take()
    }

    /// A report of these.
    pub(super) fn report(&mut self, batch: Batch, dropped: u64) -> Report {
        self.number = self.number.saturating_add(1);
        Report { number: self.number, batch, dropped, attempts: 0 }
    }

    /// By which the service knows it.
    pub(super) fn id(&self, report: &Report) -> ReportId<&str> {
        ReportId { sender: &self.sender, number: report.number }
    }

    /// A report is made.
    pub(super) fn began(&mut self, report: Report, now: Instant) {
        self.next = Some(now.after(INTERVAL));
        self.under_way = Some(report);
    }

    /// The report that was under way came to this.
    pub(super) fn ended(&mut self, arrival: Arrival, now: Instant) -> Option<Ended> {
        let mut report = self.under_way.take()?;
        Some(match arrival {
            Arrival::Arrived => {
                (self.failures, self.most) = (0, MAX_ALERTS);
                Ended::Arrived(report)
            }
            Arrival::Refused => {
                // One of them may be what is not taken, or all are too many.
                (self.failures, self.most) = (0, (report.batch.len() / 2).max(1));
                Ended::Refused(report)
            }
            Arrival::Failed => {
                self.failures = self.failures.saturating_add(1);
                self.next = Some(now.after(self.wait()));
                report.attempts = report.attempts.saturating_add(1);
                if report.attempts >= MAX_ATTEMPTS {
                    return Some(Ended::GivenUp(report));
                }
                self.again = Some(report);
                Ended::Again
            }
        })
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
        let report = delivery.again().unwrap_or_else(|| delivery.report(Batch::new(), 0));
        delivery.began(report, now);
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

    #[test]
    fn a_report_that_may_have_arrived_is_made_again_as_it_was_until_it_is_given_up() {
        let mut delivery = Delivery::new([1; 16]);
        let mut now = START;
        for attempt in 1..=MAX_ATTEMPTS {
            let report = delivery.again().unwrap_or_else(|| delivery.report(Batch::new(), 3));
            assert_eq!((delivery.id(&report).number, report.dropped), (1, 3));
            delivery.began(report, now);
            let ended = delivery.ended(Arrival::Failed, now);
            let is_last = matches!(ended, Some(Ended::GivenUp(_)));
            assert_eq!((is_last, delivery.repeats()), (attempt == MAX_ATTEMPTS, !is_last));
            now = delivery.earliest();
        }
        let next = delivery.report(Batch::new(), 0);
        assert_eq!(delivery.id(&next).number, 2);
    }

    #[test]
    fn a_sender_is_told_from_others_and_gives_nothing_away() {
        let sender = |random| Delivery::new([random; 16]).sender;
        assert_eq!(sender(1).len(), SENDER_DIGITS);
        assert!(sender(1) != sender(2) && !sender(1).contains(&hex::lower(&[1; 8])));
    }
}
