//! Durations as people write them: `30m`, `1h 30m`, `25s`. Whole seconds, more than none.
//!
//! INVARIANT (durations): what a filter writes (`breakglass_types::instant`: one number, one unit) is read here as what it
//! is. People may write more: a filter's configuration takes one unit only, because `15M` is fifteen months here.

use std::time::Duration;

/// The text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration of whole seconds such as `30m` or `1h 30m`")]
pub struct InvalidDuration;

/// Reads a duration, in seconds.
///
/// # Errors
/// [`InvalidDuration`] for anything but a positive number of whole seconds.
pub fn parse(text: &str) -> Result<i64, InvalidDuration> {
    let duration = humantime::parse_duration(text).map_err(|_| InvalidDuration)?;
    if duration.is_zero() || duration.subsec_nanos() != 0 {
        return Err(InvalidDuration);
    }
    i64::try_from(duration.as_secs()).map_err(|_| InvalidDuration)
}

/// Reads a duration that may be finer than a second, as proxies choose them: `800ms`.
///
/// # Errors
/// [`InvalidDuration`] for anything but a positive duration.
pub fn parse_exact(text: &str) -> Result<Duration, InvalidDuration> {
    let duration = humantime::parse_duration(text).map_err(|_| InvalidDuration)?;
    if duration.is_zero() { Err(InvalidDuration) } else { Ok(duration) }
}

/// Writes `seconds` so that [`parse`] reads them back.
#[must_use]
pub fn format(seconds: i64) -> String {
    humantime::format_duration(from_seconds(seconds)).to_string()
}

/// `seconds` as the standard library's duration; less than none is none.
#[must_use]
pub fn from_seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (text, seconds) in [("25s", 25), ("30m", 1800), ("1h 30m", 5400), ("1day", 86400)] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
            assert_eq!(format(seconds), text);
        }
    }

    proptest::proptest! {
        /// Relies on INVARIANT (durations).
        #[test]
        fn reads_what_filters_write(number in 1..1_000_000_u64, unit in 0..4_usize) {
            let millis = number.saturating_mul([1, 1000, 60_000, 3_600_000][unit]);
            let duration = Duration::from_millis(millis);
            let text = breakglass_types::instant::format_duration(duration);
            proptest::prop_assert_eq!(parse_exact(&text), Ok(duration), "{}", text);
        }
    }

    #[test]
    fn reads_parts_of_a_second_where_they_count() {
        assert_eq!(parse_exact("800ms"), Ok(Duration::from_millis(800)));
        assert_eq!(parse_exact("25s"), Ok(Duration::from_secs(25)));
        for text in ["", "0ms", "0s", "800", "-5ms"] {
            assert_eq!(parse_exact(text), Err(InvalidDuration), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_positive_number_of_whole_seconds() {
        for text in ["", "0s", "30", "-5m", "1500ms", "m", "5 parsecs", "99999999999999999999s"] {
            assert_eq!(parse(text), Err(InvalidDuration), "{text}");
        }
    }
}
