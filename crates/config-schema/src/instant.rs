//! Instants and durations. The clock itself is the caller's: every decision takes `now`.

use std::time::Duration;

use time::OffsetDateTime;

/// An instant on the wall clock: milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Instant {
        Instant(millis)
    }

    /// From whole seconds since 1970, as the time claims of a token are written.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Instant {
        Instant(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0.saturating_div(1000)
    }

    /// The instant `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(millis(duration)))
    }

    /// The instant `duration` earlier, 1970 at the earliest.
    #[must_use]
    pub fn before(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_sub(millis(duration)))
    }

    /// How long it is from `earlier` to this instant; zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// RFC 3339 in UTC with milliseconds, such as `2026-11-22T02:13:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        // Written digit by digit: every audit record has one, and the crate's general formatter
        // took a tenth of a whole decision.
        let Ok(instant) = i64::try_from(self.seconds()).map(OffsetDateTime::from_unix_timestamp)
        else {
            return String::new();
        };
        let Ok(instant) = instant else { return String::new() };
        let ((year, month, day), (hour, minute, second)) =
            (instant.to_calendar_date(), instant.to_hms());
        let mut text = String::with_capacity(24);
        push_digits(&mut text, year.unsigned_abs(), &[1000, 100, 10, 1]);
        for (separator, value) in
            [('-', u8::from(month)), ('-', day), ('T', hour), (':', minute), (':', second)]
        {
            text.push(separator);
            push_digits(&mut text, value.into(), &[10, 1]);
        }
        text.push('.');
        push_digits(
            &mut text,
            u32::try_from(self.0.wrapping_rem(1000)).unwrap_or_default(),
            &[100, 10, 1],
        );
        text.push('Z');
        text
    }
}

/// The decimal digits of `value` at these places, such as 100, 10 and 1.
fn push_digits(text: &mut String, value: u32, places: &[u32]) {
    for place in places {
        let digit = value.checked_div(*place).unwrap_or_default().wrapping_rem(10);
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

/// `duration` in whole milliseconds, as Envoy counts.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a duration such as `"500ms"`, `"25s"`, `"15m"`, `"1h"`: a whole number and one unit.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return None,
    };
    number.checked_mul(factor).map(Duration::from_millis)
}

/// Writes a duration in the largest unit that holds it whole, as [`parse_duration`] reads it.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = millis(duration);
    for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if millis > 0 && millis.checked_rem(factor) == Some(0) {
            return format!("{}{unit}", millis.checked_div(factor).unwrap_or_default());
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn reads_durations_and_refuses_what_is_none() {
        for (text, millis) in
            [("0s", 0), ("500ms", 500), ("25s", 25_000), ("15m", 900_000), ("1h", 3_600_000)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "-5s", "1.5s", "5 s", "5S", "1h30m", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn writes_durations_as_it_reads_them() {
        for text in ["0ms", "500ms", "25s", "90s", "15m", "1h"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn writes_instants_with_milliseconds() {
        assert_eq!(Instant::from_millis(1_793_153_580_042).rfc3339(), "2026-10-28T02:13:00.042Z");
        assert_eq!(Instant::from_millis(u64::MAX).rfc3339(), "");
    }
}
