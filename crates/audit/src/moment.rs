//! A moment on the wall clock, and how it is written and read.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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
    pub const fn from_seconds(seconds: i64) -> Moment {
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

/// `seconds` since 1970 as RFC 3339 text in UTC, such as `2026-11-22T02:13:00Z`.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|instant| instant.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("@{seconds}"))
}

/// The moment that RFC 3339 text names; nothing if it is none.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Moment> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let millis = instant.unix_timestamp_nanos().checked_div(1_000_000)?;
    i64::try_from(millis).ok().map(Moment)
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
}
