//! What lasts: it is told once when it begins, and once when it is over.

use std::time::Duration;

use crate::instant::Instant;

/// Something that can be in trouble.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Since when it is.
    since: Option<Instant>,
    /// Since when it is, as was told.
    told: Option<Instant>,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// There is trouble, since then.
    Begins(Instant),
    /// It is over, and has lasted for so long.
    Over(Duration),
}

impl Trouble {
    /// Whether it is in trouble now.
    pub(super) fn note(&mut self, is_bad: bool, now: Instant) {
        // A clock that was set back has the time begin anew.
        let since = self.since.filter(|since| *since <= now).unwrap_or(now);
        self.since = is_bad.then_some(since);
    }

    /// What is to be told of it, where it counts after so long. Only one that `tells` says that it begins; who has said so
    /// says that it is over.
    pub(super) fn tell(&mut self, patience: Duration, tells: bool, now: Instant) -> Option<Change> {
        match (self.since, self.told) {
            (Some(since), None) if tells && now.since(since) >= patience => {
                self.told = Some(since);
                Some(Change::Begins(since))
            }
            (None, Some(since)) => {
                self.told = None;
                Some(Change::Over(now.since(since)))
            }
            _ => None,
        }
    }

    /// Both.
    pub(super) fn look(
        &mut self,
        is_bad: bool,
        patience: Duration,
        tells: bool,
        now: Instant,
    ) -> Option<Change> {
        self.note(is_bad, now);
        self.tell(patience, tells, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Instant {
        Instant::from_seconds(1_800_000_000_u64.saturating_add(seconds))
    }

    #[test]
    fn it_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let mut trouble = Trouble::default();
        let mut look = |is_bad, second| trouble.look(is_bad, PATIENCE, true, at(second));
        assert_eq!([look(false, 0), look(true, 1), look(true, 10)], [None, None, None]);
        assert_eq!(look(true, 11), Some(Change::Begins(at(1))));
        assert_eq!(look(true, 500), None);
        assert_eq!(look(false, 501), Some(Change::Over(Duration::from_secs(500))));
        assert_eq!([look(false, 502), look(true, 503), look(false, 504)], [None, None, None]);
    }

    #[test]
    fn one_that_does_not_tell_stays_silent_and_who_told_says_that_it_is_over() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.look(true, PATIENCE, false, at(0)), None);
        assert_eq!(trouble.look(true, PATIENCE, false, at(60)), None);
        assert_eq!(trouble.look(true, PATIENCE, true, at(61)), Some(Change::Begins(at(0))));
        let over = trouble.look(false, PATIENCE, false, at(70));
        assert_eq!(over, Some(Change::Over(Duration::from_secs(70))));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_it_wait_anew() {
        let mut trouble = Trouble::default();
        trouble.note(true, at(1000));
        assert_eq!(trouble.look(true, PATIENCE, true, at(5)), None);
        assert_eq!(trouble.look(true, PATIENCE, true, at(15)), Some(Change::Begins(at(5))));
    }
}
