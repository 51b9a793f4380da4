//! Time as an argument: the service asks its [`Clock`], and tests set it.

use std::time::{SystemTime, UNIX_EPOCH};

use breakglass_api::Instant;
use rustix::time::{ClockId, clock_gettime};

use breakglass_core::claims::LAST_INSTANT;

pub use breakglass_audit::moment::{Moment, parse_rfc3339, rfc3339};

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
        i64::try_from(since.as_millis()).map(Moment::from_millis).map_err(|_| ClockUnknown)
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

/// A moment as the interface writes it: in whole seconds.
#[must_use]
pub fn written(moment: Moment) -> Instant {
    Instant::from_seconds(moment.seconds())
}

/// The moment that an instant of the interface means.
#[must_use]
pub fn meant(instant: &Instant) -> Moment {
    Moment::from_millis(instant.millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Records and reports have a filter's instants.
        #[test]
        fn reads_instants_as_filters_write_them(millis in 0..=LAST_INSTANT * 1000) {
            let text = breakglass_types::instant::Instant::from_millis(millis).rfc3339();
            let read = parse_rfc3339(&text).map(Moment::millis);
            proptest::prop_assert_eq!(read, i64::try_from(millis).ok(), "{}", text);
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
