//! Compares the two clocks. Pure: their readings in, what to believe out.

use crate::clock::{Moment, rfc3339};
use crate::limits::{CLOCK_SKEW_S, MAX_CLOCK_STEP_S, MAX_GRANT_S};
use crate::store::ClockRow;

/// From this difference on the wall clock was stepped, in milliseconds.
pub const STEP_MS: i64 = MAX_CLOCK_STEP_S * 1000;

/// The reference follows by one millisecond in this many.
const FOLLOW: i64 = 1000;

/// How long a grant from before the start may last, in milliseconds, by any filter's clock.
///
/// Relies on INVARIANT (longest-grant).
const LONGEST_MS: i64 = (MAX_GRANT_S + CLOCK_SKEW_S) * 1000;

/// 2025-01-01, in milliseconds. A clock that is before the first version of this program was lost: it is at 1970, or
/// at the firmware's date.
const EARLIEST_MS: i64 = 1_735_689_600_000;

/// Why the wall clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It was set, or the machine was started with a wrong one.
    Stepped {
        /// How far it is ahead of the believed time; negative where it is behind.
        ahead_ms: i64,
    },
    /// It says nothing that could be a time.
    Unknown,
}

impl Doubt {
    /// How far the wall clock is ahead of the believed time, in milliseconds, if it says a time.
    #[must_use]
    pub fn ahead_ms(self) -> Option<i64> {
        match self {
            Doubt::Stepped { ahead_ms } => Some(ahead_ms),
            Doubt::Unknown => None,
        }
    }
}

/// What the time is, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// By the wall clock.
    pub wall: Option<Moment>,
    /// By the reference and the steady clock.
    pub believed: Moment,
    /// The earliest that it could be.
    pub floor: Moment,
    /// Why the wall clock is not believed, if it is not.
    pub doubt: Option<Doubt>,
}

impl Reading {
    /// The time to go by.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.wall.filter(|_| self.doubt.is_none()).unwrap_or(self.believed)
    }

    /// The latest that it could be.
    #[must_use]
    pub fn latest(&self) -> Moment {
        self.wall.map_or(self.believed, |wall| wall.max(self.believed))
    }

    /// Whether the wall clock says a time at which this program existed.
    #[must_use]
    pub fn plausible(&self) -> bool {
        self.wall.is_some_and(|wall| wall.millis() >= EARLIEST_MS)
    }
}

/// What is known of the difference between the time and the steady clock, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// It is at least this: nothing was compared with the wall clock on this boot.
    AtLeast(i64),
    /// It is this; corrections up to this steady time are in it.
    Known { offset: i64, followed: i64 },
}

impl Reference {
    fn offset(self) -> i64 {
        match self {
            Reference::AtLeast(offset) | Reference::Known { offset, .. } => offset,
        }
    }
}

/// It may be as early as the steady clock plus this, until the steady clock is that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Early {
    offset: i64,
    until: i64,
}

/// What is believed, and why.
#[derive(Debug)]
pub(super) struct Judge {
    boot: String,
    reference: Reference,
    early: Option<Early>,
    doubt: Option<Doubt>,
    doubted_since: Option<Moment>,
    /// The latest reading.
    reading: Reading,
    /// The most that the wall clock was ahead of the steady clock since the feed had its id.
    highest: i64,
    feed_is_to_be_renewed: bool,
    steps: u64,
    newest: i64,
    marks: (i64, i64),
    saved_at: Option<i64>,
}

impl Judge {
    /// At a start: `row` is what was believed before, and `newest` the latest time in the trails.
    pub(super) fn new(
        boot: Option<String>,
        steady: i64,
        row: Option<ClockRow>,
        newest: Option<Moment>,
    ) -> Judge {
        let boot = boot.unwrap_or_default();
        let is_new = newest.is_none() && row.is_none();
        let trails = newest.map_or(EARLIEST_MS, |newest| newest.millis().max(EARLIEST_MS));
        let newest = row.as_ref().map_or(trails, |row| row.newest_ms.max(trails));
        let same_boot = |row: &ClockRow| !row.boot.is_empty() && row.boot == boot;
        let (reference, early, highest, feed_is_to_be_renewed) = match &row {
            Some(row) if same_boot(row) => {
                let early = row.floor_offset_ms.zip(row.floor_until_ms);
                let highest = row.offset_ms.saturating_add(row.ahead_ms.max(0));
                (
                    Reference::Known { offset: row.offset_ms, followed: row.steady_ms },
                    early.map(|(offset, until)| Early { offset, until }),
                    highest,
                    false,
                )
            }
            _ => {
                let offset = newest.saturating_sub(steady);
                // The time before may have been a wrong one: the floor then was the right one.
                let floor = row.as_ref().map_or(newest, |row| row.floor_ms.min(newest));
                let early = Early {
                    offset: floor.saturating_sub(steady),
                    until: steady.saturating_add(LONGEST_MS),
                };
                let was_ahead = row.as_ref().is_some_and(|row| row.ahead_ms > STEP_MS);
                // In a new database there is nothing from before.
                let early = (!is_new).then_some(early);
                (Reference::AtLeast(offset), early, offset, was_ahead)
            }
        };
        let believed = Moment::from_millis(steady.saturating_add(reference.offset()));
        Judge {
            boot,
            reference,
            early,
            doubt: None,
            doubted_since: None,
            reading: Reading { wall: None, believed, floor: believed, doubt: None },
            highest,
            feed_is_to_be_renewed,
            steps: 0,
            newest,
            marks: row.map_or((0, 0), |row| (row.audit_seq, row.trail_seq)),
            saved_at: None,
        }
    }

    /// Takes what the two clocks say.
    pub(super) fn observe(&mut self, steady: i64, wall: Option<Moment>) -> Reading {
        let offset = wall.map(|wall| wall.millis().saturating_sub(steady));
        let doubt = self.judge(steady, offset);
        if let Some(offset) = offset {
            self.highest = self.highest.max(offset);
            if offset < self.highest.saturating_sub(STEP_MS) {
                self.highest = offset;
                self.feed_is_to_be_renewed = true;
            }
        }
        let believed = Moment::from_millis(steady.saturating_add(self.reference.offset()));
        let reading = Reading { wall, believed, floor: self.floor(steady, wall, believed), doubt };
        self.reading = reading;
        if !matches!(self.reference, Reference::AtLeast(_)) {
            self.newest = self.newest.max(believed.millis());
        }
        self.note(doubt, believed);
        reading
    }

    /// Whether the wall clock is to be doubted, and what follows for the reference.
    fn judge(&mut self, steady: i64, offset: Option<i64>) -> Option<Doubt> {
        let Some(offset) = offset else {
            if let Reference::Known { followed, .. } = &mut self.reference {
                *followed = steady;
            }
            return Some(Doubt::Unknown);
        };
        let ahead_ms = offset.saturating_sub(self.reference.offset());
        match &mut self.reference {
            Reference::AtLeast(_) if ahead_ms < -STEP_MS => Some(Doubt::Stepped { ahead_ms }),
            Reference::AtLeast(_) => {
                self.reference = Reference::Known { offset, followed: steady };
                if let Some(early) = &mut self.early {
                    early.until = steady.saturating_add(LONGEST_MS);
                }
                self.saved_at = None;
                None
            }
            Reference::Known { followed, .. } if ahead_ms.saturating_abs() > STEP_MS => {
                *followed = steady;
                Some(Doubt::Stepped { ahead_ms })
            }
            Reference::Known { offset, followed } => {
                let passed = steady.saturating_sub(*followed).max(0);
                if ahead_ms == 0 {
                    *followed = steady;
                    return None;
                }
                let most = passed.checked_div(FOLLOW).unwrap_or(0);
                *offset = offset.saturating_add(ahead_ms.clamp(most.saturating_neg(), most));
                *followed = followed.saturating_add(most.saturating_mul(FOLLOW));
                None
            }
        }
    }

    fn floor(&self, steady: i64, wall: Option<Moment>, believed: Moment) -> Moment {
        let wall = wall.filter(|wall| wall.millis() >= EARLIEST_MS);
        let early = self.early.filter(|early| steady < early.until);
        let early = early.map(|early| Moment::from_millis(early.offset.saturating_add(steady)));
        [wall, early].into_iter().flatten().fold(believed, Moment::min)
    }

    /// Says in the log what is different from before.
    fn note(&mut self, doubt: Option<Doubt>, believed: Moment) {
        let far = |a: Option<Doubt>, b: Option<Doubt>| match (a, b) {
            (Some(Doubt::Stepped { ahead_ms: a }), Some(Doubt::Stepped { ahead_ms: b })) => {
                a.saturating_sub(b).saturating_abs() > STEP_MS
            }
            (a, b) => a != b,
        };
        if !far(self.doubt, doubt) {
            return;
        }
        self.saved_at = None;
        let by = rfc3339(believed.seconds());
        match doubt {
            None => {
                self.doubted_since = None;
                tracing::info!(
                    time = by,
                    "the clock is believed again: approvals and tokens go on"
                );
            }
            Some(now) => {
                self.steps = self.steps.saturating_add(1);
                self.doubted_since = self.doubted_since.or(Some(believed));
                let ahead_s = now.ahead_ms().map(|ms| ms.div_euclid(1000));
                tracing::error!(
                    ahead_s,
                    time = by,
                    "the clock was set, or cannot be read: approvals and tokens are refused, revocations go on by \
                     the time above; set the clock right, or, if it is right now, restart with --accept-clock"
                );
            }
        }
        self.doubt = doubt;
    }

    /// Believes what the wall clock says, because an operator does.
    pub(super) fn accept(&mut self, steady: i64, wall: Moment) {
        let floor = self.reading.floor.min(wall).millis();
        self.early = Some(Early {
            offset: floor.saturating_sub(steady),
            until: steady.saturating_add(LONGEST_MS),
        });
        let offset = wall.millis().saturating_sub(steady);
        self.reference = Reference::Known { offset, followed: steady };
        self.highest = offset;
        self.newest = wall.millis();
        self.feed_is_to_be_renewed = false;
        self.doubt = None;
        self.doubted_since = None;
        self.reading = Reading { wall: Some(wall), believed: wall, doubt: None, ..self.reading };
    }

    /// What is to be kept over a restart.
    pub(super) fn row(&self, steady: i64) -> ClockRow {
        let Reading { wall, believed, floor, .. } = self.reading;
        let known = !matches!(self.reference, Reference::AtLeast(_));
        ClockRow {
            boot: if known { self.boot.clone() } else { String::new() },
            steady_ms: steady,
            offset_ms: self.reference.offset(),
            ahead_ms: wall.map_or(0, |wall| wall.millis().saturating_sub(believed.millis())),
            newest_ms: self.newest,
            floor_ms: floor.millis(),
            floor_offset_ms: self.early.map(|early| early.offset),
            floor_until_ms: self.early.map(|early| early.until),
            audit_seq: self.marks.0,
            trail_seq: self.marks.1,
        }
    }

    /// It was written down.
    pub(super) fn saved(&mut self, row: &ClockRow) {
        self.marks = (row.audit_seq, row.trail_seq);
        self.saved_at = Some(row.steady_ms);
    }

    /// Whether it is time to write it down: something has changed, or `every` milliseconds are over.
    pub(super) fn is_to_be_saved(&self, steady: i64, every: i64) -> bool {
        self.saved_at.is_none_or(|at| steady.saturating_sub(at) >= every)
    }

    pub(super) fn is_feed_to_be_renewed(&self) -> bool {
        self.feed_is_to_be_renewed
    }

    pub(super) fn feed_renewed(&mut self) {
        self.feed_is_to_be_renewed = false;
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn doubted_since(&self) -> Option<Moment> {
        self.doubted_since
    }
}
