//! Whether the service can do its work: the feed can be read, and a revocation could be written.
//!
//! One task finds out, with a write that lasts, at its own pace: who asks gets its last outcome, and so costs
//! the database nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::store::{Fault, StoreError};

/// How often a database that works is tried: each time is a write to the disk.
const EVERY: Duration = Duration::from_secs(5);

/// How soon it is tried again after a failure.
const AGAIN: Duration = Duration::from_secs(1);

/// How long one attempt may take: longer than it may wait for the lock.
const LIMIT: Duration = Duration::from_secs(10);

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
        let now = Instant::now();
        Readiness(Mutex::new(Outcome { at: now, succeeded_at: now, ready: true }))
    }

    /// Whether the service can do its work, by the last outcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let outcome = self.outcome();
        outcome.ready && outcome.at.elapsed() < MAX_AGE
    }

    /// Takes an outcome, and returns how long it holds.
    fn take(&self, result: &Result<(), StoreError>) -> Duration {
        let now = Instant::now();
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

/// Finds out for as long as the service runs.
pub async fn keep_probing(app: App) {
    loop {
        let wait = match tokio::time::timeout(LIMIT, app.store().probe()).await {
            Ok(result) => app.readiness().take(&result),
            // No outcome: the last one ages.
            Err(_) => AGAIN,
        };
        tokio::time::sleep(wait).await;
    }
}
