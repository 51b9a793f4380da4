//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it: far longer than it ever takes on a
/// busy machine with two cores.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `look` finds what it looks for.
///
/// # Panics
/// When that takes longer than any healthy run: the message names `what`.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look)
}

/// The same, for what takes its time by itself.
///
/// # Panics
/// When it takes longer than `patience`: the message names `what`.
pub fn until_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} in vain for {what}");
        thread::sleep(PAUSE);
    }
}

/// Runs `action` again and again, until that much time has passed.
pub fn during(time: Duration, mut action: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < time {
        action();
    }
}

/// This moment, for what another thread takes the time of.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Runs `action` and says how long it took.
pub fn timed<T>(action: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = action();
    (result, start.elapsed())
}
