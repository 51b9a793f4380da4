//! Whether the service can do its work: the feed can be read, and a revocation could be written.
//!
//! One task finds out, with a write that lasts, at its own pace: who asks gets its last outcome, and so costs
//! the database nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Fault, StoreError};

/// How often a database that works is tried: each time is a write to the disk.
const EVERY: Duration = Duration::from_secs(5);

/// How soon it is tried again after a failure.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);

/// How long one attempt may take: longer than it may wait for the lock.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// For how long a locked database is no failure: others are writing, and they end.
const BUSY_LIMIT: Duration = Duration::from_secs(15);

/// How old the last outcome may be: the task is late, or the disk neither answers nor fails.
const MAX_AGE: Duration = Duration::from_secs(20);

/// The last outcome.
#[derive(Debug)]
pub struct Readiness(Mutex<Outcome>);

#[derive(Debug, Clone, Copy)]
struct Outcome {
    at: Instant,
    succeeded_at: Instant,
    ready: bool,
}

impl Readiness {
    /// Ready: the database was opened just now.
    #[must_use]
    pub fn new() -> Readiness {
        Readiness::at(Instant::now())
    }

    fn at(now: Instant) -> Readiness {
        Readiness(Mutex::new(Outcome { at: now, succeeded_at: now, ready: true }))
    }

    /// Whether the service can do its work, by the last outcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_ready_at(Instant::now())
    }

    fn is_ready_at(&self, now: Instant) -> bool {
        let outcome = self.outcome();
        outcome.ready && now.saturating_duration_since(outcome.at) < MAX_AGE
    }

    /// Takes an outcome of `now`, and returns how long it holds.
    pub(crate) fn take(&self, now: Instant, result: &Result<(), StoreError>) -> Duration {
        let mut outcome = self.outcome();
        outcome.at = now;
        let was_ready = outcome.ready;
        match result {
            Ok(()) => {
                *outcome = Outcome { at: now, succeeded_at: now, ready: true };
                if !was_ready {
                    tracing::info!("ready");
                }
                return EVERY;
            }
            Err(error) if error.fault() == Some(Fault::Busy) => {
                let since = now.saturating_duration_since(outcome.succeeded_at);
                outcome.ready &= since < BUSY_LIMIT;
            }
            Err(_) => outcome.ready = false,
        }
        if was_ready
            && !outcome.ready
            && let Err(cause) = result
        {
            tracing::warn!(%cause, "not ready");
        }
        AGAIN
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        // It is changed in steps that cannot panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Readiness {
    fn default() -> Readiness {
        Readiness::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn busy() -> Result<(), StoreError> {
        Err(sqlx::Error::PoolTimedOut.into())
    }

    fn failed() -> Result<(), StoreError> {
        Err(sqlx::Error::Io(std::io::Error::other("disk")).into())
    }

    #[test]
    fn a_locked_database_is_no_failure_for_fifteen_seconds() {
        let start = Instant::now();
        let readiness = Readiness::at(start);
        for seconds in 1..15 {
            let now = start + SECOND * seconds;
            assert_eq!(readiness.take(now, &busy()), AGAIN);
            assert!(readiness.is_ready_at(now), "{seconds} s");
        }
        let late = start + SECOND * 15;
        readiness.take(late, &busy());
        assert!(!readiness.is_ready_at(late));
        // The lock is free again.
        let free = late + SECOND;
        assert_eq!(readiness.take(free, &Ok(())), EVERY);
        assert!(readiness.is_ready_at(free));
        // From here on it is fifteen seconds once more.
        readiness.take(free + SECOND * 14, &busy());
        assert!(readiness.is_ready_at(free + SECOND * 14));
    }

    #[test]
    fn a_lock_does_not_excuse_a_failure_before_it() {
        let start = Instant::now();
        let readiness = Readiness::at(start);
        readiness.take(start + SECOND, &failed());
        assert!(!readiness.is_ready_at(start + SECOND));
        readiness.take(start + SECOND * 2, &busy());
        assert!(!readiness.is_ready_at(start + SECOND * 2));
    }

    #[test]
    fn an_outcome_holds_for_less_than_twenty_seconds() {
        let start = Instant::now();
        let readiness = Readiness::at(start);
        let last = start + SECOND * 20;
        assert!(readiness.is_ready_at(last - Duration::from_millis(1)));
        assert!(!readiness.is_ready_at(last), "the disk neither answers nor fails");
        readiness.take(last, &Ok(()));
        assert!(readiness.is_ready_at(last));
        // Busy is an outcome too.
        readiness.take(last + SECOND, &busy());
        assert!(readiness.is_ready_at(last + SECOND * 20));
        assert!(!readiness.is_ready_at(last + SECOND * 21));
    }
}
