//! How long until a delivery is tried again: exponential, with full jitter, so that a receiver which comes back is not met by
//! everything at once.

use std::time::Duration;

/// The longest wait after the first attempt that failed.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait at all.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How far the exponent grows: one second doubled so often is more than [`LONGEST`].
const DOUBLINGS: u32 = 10;

/// How long to wait after so many failed attempts: a part of the longest wait, by `chance` of 0 to 255. `asked` is what the
/// receiver asks for, below which it is not tried.
pub(crate) fn wait(attempts: i64, chance: u8, asked: Option<Duration>) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(DOUBLINGS);
    let longest =
        FIRST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST);
    let part = longest.saturating_mul(u32::from(chance).saturating_add(1)).checked_div(256);
    part.unwrap_or(longest).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_ten_minutes_and_are_spread_from_next_to_nothing() {
        for (attempts, longest) in [(1, 1), (2, 2), (5, 16), (10, 512), (11, 600), (1000, 600)] {
            assert_eq!(wait(attempts, 255, None), Duration::from_secs(longest), "{attempts}");
            let shortest = Duration::from_secs(longest).checked_div(256);
            assert_eq!(Some(wait(attempts, 0, None)), shortest, "{attempts}");
        }
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept() {
        assert_eq!(wait(1, 255, Some(Duration::from_secs(90))), Duration::from_secs(90));
        assert_eq!(wait(11, 255, Some(Duration::from_secs(90))), LONGEST);
    }
}
