//! What strangers can cause at will becomes an alert only above a rate.

use std::time::Duration;

use crate::instant::Instant;

/// The time in which is counted.
const WINDOW: Duration = Duration::from_secs(60);

/// How many in a window are no alert: a client with an old token, a deployment that comes before its keys.
const BOUND: u64 = 20;

/// How often something has happened lately.
#[derive(Debug, Default)]
pub(super) struct Rate {
    window: Option<Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    count: u64,
}

impl Rate {
    /// It has happened once more. How many an alert is to count, and since when: none while the bound is kept, all of the
    /// window once it is not, and each one after that.
    pub(super) fn note(&mut self, now: Instant) -> Option<(u64, Instant)> {
        // A clock that was set back begins another window.
        let lasts = |window: &Window| window.since <= now && now.since(window.since) < WINDOW;
        let before = self.window.filter(lasts).unwrap_or(Window { since: now, count: 0 });
        let count = before.count.saturating_add(1);
        self.window = Some(Window { count, ..before });
        match before.count {
            ..BOUND => None,
            BOUND => Some((count, before.since)),
            _ => Some((1, now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const START: Instant = Instant::from_seconds(1_800_000_000);

    fn at(seconds: u64) -> Instant {
        START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn up_to_the_bound_nothing_counts_and_then_everything() {
        let mut rate = Rate::default();
        for second in 0..BOUND {
            assert_eq!(rate.note(at(second)), None);
        }
        assert_eq!(rate.note(at(30)), Some((BOUND + 1, START)));
        assert_eq!(rate.note(at(59)), Some((1, at(59))));
        // The next window begins with the next one.
        assert_eq!(rate.note(at(60)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_begins_another_window() {
        let mut rate = Rate::default();
        for _ in 0..=BOUND {
            rate.note(at(1000));
        }
        assert_eq!(rate.note(at(999)), None);
    }
}
