//! Time as an argument: the service asks its [`Clock`], and tests set it.

use std::time::{SystemTime, UNIX_EPOCH};

use breakglass_api::Instant;
use breakglass_core::claims::LAST_INSTANT;
use rustix::time::{ClockId, clock_gettime};

/// A moment, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// The moment `millis` milliseconds after 1970 began.
    #[must_use]
    pub fn from_millis(millis: i64) -> Moment {
        Moment(millis)
    }

    /// The moment `seconds` seconds after 1970 began.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Moment {
        Moment(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970: the unit of every deadline.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// The wall clock says nothing that could be a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock of this machine is outside the years 1970 to 9999")]
pub struct ClockUnknown;

/// Tells the time, in two ways.
pub trait Clock: Send + Sync + 'static {
    /// The present moment by the wall clock, which can be set. Whether it is believed, the
    /// [`Timekeeper`](crate::timekeeper::Timekeeper) says.
    ///
    /// # Errors
    /// [`ClockUnknown`] where it says nothing.
    fn now(&self) -> Result<Moment, ClockUnknown>;

    /// Milliseconds since the machine was booted, sleep included. No operator can set it.
    fn steady(&self) -> i64;

    /// The id of this boot of the machine: steady times of two boots cannot be compared. Nothing where it
    /// is not known.
    fn boot(&self) -> Option<String>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one real clock of the service")]
    fn now(&self) -> Result<Moment, ClockUnknown> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| ClockUnknown)?;
        if since.as_secs() > LAST_INSTANT {
            return Err(ClockUnknown);
        }
        i64::try_from(since.as_millis()).map(Moment).map_err(|_| ClockUnknown)
    }

    fn steady(&self) -> i64 {
        let since = clock_gettime(ClockId::Boottime);
        since.tv_sec.saturating_mul(1000).saturating_add(since.tv_nsec / 1_000_000)
    }

    fn boot(&self) -> Option<String> {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    }
}

impl From<Moment> for Instant {
    fn from(moment: Moment) -> Instant {
        Instant::from_seconds(moment.seconds())
    }
}

impl From<&Instant> for Moment {
    fn from(instant: &Instant) -> Moment {
        Moment::from_millis(instant.millis())
    }
}

/// `seconds` since 1970 as RFC 3339 text in UTC, such as `2026-11-22T02:13:00Z`.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    Instant::from_seconds(seconds).into()
}

/// The moment that RFC 3339 text names; nothing if it is none.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Moment> {
    Instant::parse(text).as_ref().map(Moment::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_in_the_second_that_has_begun() {
        assert_eq!(Moment::from_millis(1999).seconds(), 1);
        assert_eq!(Moment::from_seconds(2).millis(), 2000);
    }

    #[test]
    fn writes_instants_in_utc() {
        assert_eq!(rfc3339(1_795_313_580), "2026-11-22T02:13:00Z");
        assert_eq!(rfc3339(i64::MAX), format!("@{}", i64::MAX));
    }

    #[test]
    fn reads_instants_in_any_zone() {
        let moment = Some(Moment::from_millis(1_795_313_580_250));
        assert_eq!(parse_rfc3339("2026-11-22T02:13:00.250Z"), moment);
        assert_eq!(parse_rfc3339("2026-11-22T03:13:00.25+01:00"), moment);
        for text in ["", "2026-11-22", "2026-11-22T02:13:00", "yesterday"] {
            assert_eq!(parse_rfc3339(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_machine_knows_the_time() {
        assert!(SystemClock.now().unwrap() > Moment::from_seconds(1_700_000_000));
        let (first, second) = (SystemClock.steady(), SystemClock.steady());
        assert!(0 < first && first <= second);
        assert_eq!(SystemClock.boot(), SystemClock.boot());
    }
}
