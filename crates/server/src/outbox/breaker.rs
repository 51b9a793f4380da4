//! The circuit breaker of a sink: after some failures in a row no attempts are made for a while, and then one, which decides.
//! Time is an argument: milliseconds of a clock that only goes forward.

use std::time::Duration;

use breakglass_api::deliveries::Circuit;

/// How many failures in a row open it.
pub(super) const OPEN_AFTER: u32 = 5;

/// How long it stays open the first time; twice as long each time that the probe fails.
const FIRST: Duration = Duration::from_secs(2);

/// The longest that it stays open: how late a receiver that is back can be noticed.
const LONGEST: Duration = Duration::from_secs(60);

/// The state of one sink's circuit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    failures: u32,
    /// How often in a row it was opened.
    opened: u32,
    /// Until when no attempt is made.
    closed_off_until: u64,
    /// The attempt that decides is under way.
    is_probing: bool,
}

impl Breaker {
    /// Whether attempts are made.
    pub(super) fn circuit(&self, now: u64) -> Circuit {
        match (self.opened, self.is_probing || self.closed_off_until <= now) {
            (0, _) => Circuit::Closed,
            (_, true) => Circuit::HalfOpen,
            (_, false) => Circuit::Open,
        }
    }

    /// How many attempts may be under way at once, of at most `most`.
    pub(super) fn room(&self, now: u64, most: usize) -> usize {
        match self.circuit(now) {
            _ if self.closed_off_until > now => 0,
            Circuit::Closed => most,
            Circuit::HalfOpen => most.min(1),
            Circuit::Open => 0,
        }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self) {
        self.is_probing = self.opened > 0;
    }

    /// The receiver answered as it should.
    pub(super) fn succeeded(&mut self) {
        *self = Breaker::default();
    }

    /// An attempt began and was not made, for a reason that says nothing of the receiver.
    pub(super) fn unused(&mut self) {
        self.is_probing = false;
    }

    /// An attempt failed. `chance` spreads the time of the next one.
    pub(super) fn failed(&mut self, now: u64, chance: u8) {
        let was_probing = std::mem::take(&mut self.is_probing);
        self.failures = self.failures.saturating_add(1);
        if self.failures < OPEN_AFTER || (self.opened > 0 && !was_probing) {
            return;
        }
        let longest =
            FIRST.saturating_mul(1_u32.checked_shl(self.opened.min(10)).unwrap_or(1)).min(LONGEST);
        self.opened = self.opened.saturating_add(1);
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        // From half of it to all of it.
        let half = longest.checked_div(2).unwrap_or_default();
        let spread = half.saturating_mul(u64::from(chance)).checked_div(255).unwrap_or_default();
        self.closed_off_until = now.saturating_add(half).saturating_add(spread);
    }

    /// The receiver asks not to be called for so long.
    pub(super) fn pause(&mut self, now: u64, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.closed_off_until = self.closed_off_until.max(now.saturating_add(pause));
    }

    /// When the next attempt may be made, if that is not now.
    pub(super) fn opens_at(&self, now: u64) -> Option<u64> {
        (self.closed_off_until > now).then_some(self.closed_off_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(times: u32) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..times {
            breaker.begin();
            breaker.failed(0, 255);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_one_attempt_decides() {
        assert_eq!(failing(OPEN_AFTER - 1).room(0, 8), 8);
        let mut breaker = failing(OPEN_AFTER);
        assert_eq!((breaker.circuit(0), breaker.room(0, 8)), (Circuit::Open, 0));
        assert_eq!((breaker.circuit(1_999), breaker.opens_at(1_999)), (Circuit::Open, Some(2_000)));
        assert_eq!((breaker.circuit(2_000), breaker.room(2_000, 8)), (Circuit::HalfOpen, 1));
        breaker.begin();
        assert_eq!(breaker.circuit(2_000), Circuit::HalfOpen);
        breaker.failed(2_000, 255);
        assert_eq!(
            (breaker.circuit(5_999), breaker.circuit(6_000)),
            (Circuit::Open, Circuit::HalfOpen)
        );
        breaker.begin();
        breaker.succeeded();
        assert_eq!((breaker.circuit(6_000), breaker.room(6_000, 8)), (Circuit::Closed, 8));
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn an_attempt_that_was_not_made_decides_nothing() {
        let mut breaker = failing(OPEN_AFTER);
        let open = breaker.clone();
        breaker.begin();
        breaker.unused();
        assert_eq!(breaker, open);
        assert_eq!((breaker.circuit(2_000), breaker.room(2_000, 8)), (Circuit::HalfOpen, 1));
    }

    /// Those that were under way when it opened say nothing more.
    #[test]
    fn failures_of_before_do_not_open_it_again() {
        let mut breaker = failing(OPEN_AFTER);
        let open = breaker.clone();
        breaker.failed(1_000, 255);
        assert_eq!(breaker.opens_at(0), open.opens_at(0));
    }

    #[test]
    fn it_is_open_for_a_minute_at_most() {
        let mut breaker = failing(OPEN_AFTER);
        let mut now = 0;
        for _ in 0..50 {
            now = breaker.opens_at(now).unwrap();
            breaker.begin();
            breaker.failed(now, 255);
        }
        assert_eq!(breaker.opens_at(now), now.checked_add(60_000));
    }

    #[test]
    fn a_pause_that_the_receiver_asks_for_is_kept_while_it_is_closed() {
        let mut breaker = Breaker::default();
        breaker.pause(0, Duration::from_secs(3));
        assert_eq!((breaker.room(2_999, 8), breaker.room(3_000, 8)), (0, 8));
        assert_eq!(breaker.circuit(0), Circuit::Closed);
    }
}
