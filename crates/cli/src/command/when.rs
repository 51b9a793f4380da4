//! Instants for people: UTC as the service says it, and how far away that is.

use crate::answer::Instant;
use breakglass_server::clock::{Clock, Moment, SystemClock, meant};

/// This machine's time; nothing where it cannot be believed.
pub(crate) fn now() -> Option<Moment> {
    SystemClock.now().ok()
}

/// Such as `2026-11-22T02:23:00Z (in 12 min)`.
pub(crate) fn instant(at: &Instant, now: Option<Moment>) -> String {
    match now {
        Some(now) => format!("{} ({})", at.text(), relative(now, meant(at))),
        None => at.text().to_owned(),
    }
}

/// Such as `in 12 min` or `3 min ago`. Rounded down: more time is never promised than there is.
pub(crate) fn relative(now: Moment, at: Moment) -> String {
    let distance = span(at.millis().abs_diff(now.millis()).checked_div(1000).unwrap_or_default());
    if at >= now { format!("in {distance}") } else { format!("{distance} ago") }
}

fn span(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let count = |unit: u64| seconds.checked_div(unit).unwrap_or_default();
    let rest = |unit: u64, of: u64| count(unit).checked_rem(of).unwrap_or_default();
    match seconds {
        ..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", count(MINUTE)),
        HOUR..DAY => format!("{} h {} min", count(HOUR), rest(MINUTE, 60)),
        _ => format!("{} d {} h", count(DAY), rest(HOUR, 24)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_far_away_an_instant_is() {
        for (seconds, words) in [
            (0, "in 0 s"),
            (59, "in 59 s"),
            (60, "in 1 min"),
            (3599, "in 59 min"),
            (3900, "in 1 h 5 min"),
            (90_000, "in 1 d 1 h"),
            (-1, "1 s ago"),
            (-200, "3 min ago"),
            (i64::MAX, "in 106751991167 d 7 h"),
        ] {
            let now = Moment::from_millis(0);
            assert_eq!(relative(now, Moment::from_seconds(seconds)), words);
        }
    }
}
