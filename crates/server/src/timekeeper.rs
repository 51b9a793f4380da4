//! Which time the service goes by, and whether it is sure of it.
//!
//! 1. The wall clock is compared with a steady clock that nobody can set (`CLOCK_BOOTTIME`). The difference of
//!    the two that is believed is the *reference*. It follows small corrections, at most 1 ms a second: many
//!    small steps are one.
//! 2. Where the wall clock is more than [`STEP_MS`] from the reference, it was *stepped*. Until the difference is
//!    gone, or an operator has accepted the new time (`breakglass serve --accept-clock`), nothing is opened:
//!    [`Timekeeper::trusted_now`] refuses. All else goes on by the believed time: [`Timekeeper::now`] always answers.
//! 3. What is believed is kept in the database. After a restart on the same boot of the machine it goes on. After
//!    another boot nothing but the latest time in the database is known: a wall clock before that was stepped, and
//!    any other is believed.
//! 4. The *floor* ([`Timekeeper::floor`]) is the earliest time that it could be: the earlier of wall clock and
//!    believed time, and for as long as a grant from before can last after another boot, also the latest known
//!    time plus what has passed since the start. What only ends access (revocations and their feed) goes by it,
//!    so that no wrong clock takes a live grant for one that is over.

mod judge;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::clock::{Clock, Moment, rfc3339};
use crate::feed::Feed;
use crate::store::{Store, StoreError};
use judge::Judge;
pub use judge::{Doubt, Reading, STEP_MS};

/// How often what is believed is written down.
const SAVE_MS: i64 = 60_000;

/// How long two readings of the steady clock may be apart, in milliseconds, for a reading of the wall clock between
/// them to belong to either: the process may be stopped in between.
const READ_MS: i64 = 200;

/// Why no time can be gone by.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// The database cannot tell what was believed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was to be accepted is no time.
    #[error("--accept-clock: the clock of this machine says {0}, which cannot be: set it first")]
    NotATime(String),
}

/// A time that is believed: what opens access goes by no other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedMoment(Moment);

impl TrustedMoment {
    /// The moment.
    #[must_use]
    pub fn moment(self) -> Moment {
        self.0
    }
}

/// Says what time it is.
pub struct Timekeeper {
    clock: Box<dyn Clock>,
    judge: Mutex<Judge>,
    /// The last attempt to write something down failed, and the log says so.
    failing: AtomicBool,
}

impl Timekeeper {
    /// Goes on from what the database says was believed. With `accept`, what the wall clock says is believed
    /// from now on, whatever was believed before.
    ///
    /// # Errors
    /// [`ClockError`] if the database cannot be read, or the time cannot be accepted.
    pub async fn open(
        clock: Box<dyn Clock>,
        store: &Store,
        accept: bool,
    ) -> Result<Timekeeper, ClockError> {
        let row = store.clock().await?;
        let marks = row.as_ref().map_or((0, 0), |row| (row.audit_seq, row.trail_seq));
        let newest = store.newest_row(marks.0, marks.1).await?;
        let judge = Judge::new(clock.boot(), clock.steady(), row, newest);
        let judge = Mutex::new(judge);
        let keeper = Timekeeper { clock, judge, failing: AtomicBool::new(false) };
        let reading = keeper.reading();
        if accept {
            keeper.accept(store, reading).await?;
        }
        // Before anything is opened: the process may be killed in the next moment.
        keeper.tell(keeper.save(store, false).await);
        Ok(keeper)
    }

    async fn accept(&self, store: &Store, reading: Reading) -> Result<(), ClockError> {
        let Some(doubt) = reading.doubt else {
            tracing::info!("--accept-clock: the clock is believed already: nothing to accept");
            return Ok(());
        };
        let wall = reading.wall.filter(|_| reading.plausible());
        let Some(wall) = wall else {
            let says = reading.wall.map_or("nothing".to_owned(), |wall| rfc3339(wall.seconds()));
            return Err(ClockError::NotATime(says));
        };
        let (old, new) = (rfc3339(reading.believed.seconds()), rfc3339(wall.seconds()));
        let row = {
            let mut judge = self.judge();
            judge.accept(self.clock.steady(), wall);
            judge.row(self.clock.steady())
        };
        let difference_s = doubt.ahead_ms().unwrap_or_default().div_euclid(1000);
        let detail = json!({ "old": old, "new": new, "difference_s": difference_s });
        let row = store.accept_clock(&row, &detail).await?;
        self.judge().saved(&row);
        tracing::warn!(old, new, difference_s, "the new time was accepted by --accept-clock");
        Ok(())
    }

    /// What both clocks say, and what is believed.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let (steady, wall) = self.read();
        self.judge().observe(steady, wall)
    }

    /// The present moment: by the wall clock where it is believed, and else the believed time. For what only
    /// reads, writes down or ends.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.reading().now()
    }

    /// The present moment, for what opens access.
    ///
    /// # Errors
    /// A refusal while the wall clock is not believed.
    pub fn trusted_now(&self) -> Result<TrustedMoment, Doubt> {
        let reading = self.reading();
        match reading.doubt {
            None => Ok(TrustedMoment(reading.now())),
            Some(doubt) => Err(doubt),
        }
    }

    /// The earliest time that it could be.
    #[must_use]
    pub fn floor(&self) -> Moment {
        self.reading().floor
    }

    /// How often the wall clock was found wrong since the start.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.judge().steps()
    }

    /// Since when the wall clock is in doubt, by the believed time.
    #[must_use]
    pub fn doubted_since(&self) -> Option<Moment> {
        self.judge().doubted_since()
    }

    /// The steady clock, and what the wall clock said at that moment.
    fn read(&self) -> (i64, Option<Moment>) {
        let mut before = self.clock.steady();
        let mut wall = self.clock.now().ok();
        for _ in 0..3 {
            let after = self.clock.steady();
            if after.saturating_sub(before) <= READ_MS {
                break;
            }
            // Stopped in between: the two do not belong together.
            before = after;
            wall = self.clock.now().ok();
        }
        (before, wall)
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        // Its changes are assignments, which cannot panic half way.
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what is believed, where it is time for it.
    pub(crate) async fn save(&self, store: &Store, always: bool) -> Result<(), StoreError> {
        let steady = self.clock.steady();
        let row = {
            let judge = self.judge();
            (always || judge.is_to_be_saved(steady, SAVE_MS)).then(|| judge.row(steady))
        };
        if let Some(row) = row {
            store.save_clock(&row).await?;
            self.judge().saved(&row);
        }
        Ok(())
    }

    /// Gives the feed another id, where the clock went back.
    pub(crate) async fn renew_feed(&self, store: &Store, feed: &Feed) -> Result<(), StoreError> {
        if self.judge().is_feed_to_be_renewed() {
            store.renew_feed().await?;
            self.judge().feed_renewed();
            tracing::warn!("the clock went back: every proxy reads the feed of revocations again");
            // A failure is in the log; the next look is half a second away.
            let _ = feed.look(store, self.floor()).await;
        }
        Ok(())
    }

    /// Says in the log that the database did not take what is written down each second: once, not each second.
    pub(crate) fn tell(&self, result: Result<(), StoreError>) {
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(cause) if !was_failing => {
                tracing::error!(%cause, "what follows from the time is not written down");
            }
            Ok(()) if was_failing => {
                tracing::info!("what follows from the time is written down again")
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;
    use crate::clock::ClockUnknown;

    /// A clock of a process that is stopped for an hour between two readings, as often as this says.
    struct Stopped {
        steady: AtomicI64,
        times: AtomicI64,
    }

    impl Clock for Stopped {
        fn now(&self) -> Result<Moment, ClockUnknown> {
            if self.times.fetch_sub(1, Ordering::SeqCst) > 0 {
                self.steady.fetch_add(3_600_000, Ordering::SeqCst);
            }
            let steady = self.steady.load(Ordering::SeqCst);
            Ok(Moment::from_millis(steady.saturating_add(1_795_313_580_000)))
        }

        fn steady(&self) -> i64 {
            self.steady.load(Ordering::SeqCst)
        }

        fn boot(&self) -> Option<String> {
            None
        }
    }

    #[test]
    fn a_process_that_was_stopped_between_two_readings_sees_no_step() {
        for times in 0..4 {
            let clock = Stopped { steady: AtomicI64::new(1000), times: AtomicI64::new(times) };
            let judge = Mutex::new(Judge::new(None, 0, None, None));
            let keeper =
                Timekeeper { clock: Box::new(clock), judge, failing: AtomicBool::new(false) };
            let (steady, wall) = keeper.read();
            let wall = wall.unwrap().millis();
            assert_eq!(wall - steady, 1_795_313_580_000, "stopped {times} times");
        }
    }
}
