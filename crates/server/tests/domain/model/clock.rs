//! The clock: docs/approval-service.md, "The clock". All steps are far above 5 s.

use super::Refused;
use crate::action::SetClock;

/// How wrong a filter's clock can be, in seconds.
const FILTERS_S: i64 = 60;

/// What the clocks say, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub believed: i64,
    pub wall: Option<i64>,
}

impl Clock {
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.believed += seconds;
        self.wall = self.wall.map(|wall| wall + seconds);
    }

    pub(crate) fn set(&mut self, set: SetClock) {
        self.wall = match set {
            SetClock::Step(seconds) => self.wall.map(|wall| wall + seconds),
            SetClock::Lose => None,
            SetClock::Right => Some(self.believed),
        };
    }

    /// The time, for what opens access.
    pub(crate) fn trusted(self) -> Result<i64, Refused> {
        match self.wall {
            None => Err((503, "clock_unknown")),
            Some(wall) if wall == self.believed => Ok(wall),
            Some(_) => Err((503, "clock_stepped")),
        }
    }

    /// Whether a grant with this end is over for every filter, at the earliest time that it could be.
    pub(crate) fn is_over_for_all(self, end: i64) -> bool {
        end <= self.wall.unwrap_or(self.believed).min(self.believed) - FILTERS_S
    }

    /// Whether it is over for every filter by the believed time.
    pub(crate) fn is_believed_over(self, end: i64) -> bool {
        end <= self.believed - FILTERS_S
    }

    /// Whether it is over at the latest time that it could be.
    pub(crate) fn has_ended(self, end: i64) -> bool {
        end <= self.wall.unwrap_or(self.believed).max(self.believed)
    }
}
