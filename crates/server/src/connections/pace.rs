//! How many frames of HTTP/2 a client may send that are no part of a request. They need no credential, and each costs the
//! service a look and some an answer; so a connection with too many of them is closed.

use std::time::Duration;

use tokio::time::Instant;

/// Of frames that clients send a few of: PING, SETTINGS, PRIORITY, CONTINUATION, DATA without bytes, and kinds that are not
/// known (CVE-2019-9512, CVE-2019-9515, CVE-2019-9518).
const FEW: u32 = 100;

/// Of frames that come with requests and answers: RST_STREAM, and a WINDOW_UPDATE for each half of a window that was read.
const MANY: u32 = 10_000;

/// In this time.
const WINDOW: Duration = Duration::from_secs(1);

/// Frames that are no part of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Those that clients send a few of.
    pub(super) few: u32,
    /// Those that come with requests and answers.
    pub(super) many: u32,
}

/// What came of them in the present window.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    count: Count,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace { since: Instant::now(), count: Count::default() }
    }

    /// Adds what has come, and says whether that is too many.
    pub(super) fn is_exceeded_by(&mut self, came: Count, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= WINDOW {
            *self = Pace { since: now, count: Count::default() };
        }
        self.count.few = self.count.few.saturating_add(came.few);
        self.count.many = self.count.many.saturating_add(came.many);
        self.count.few > FEW || self.count.many > MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own_frames() {
        let (mut pace, start) = (Pace::new(), Instant::now());
        let few = |few| Count { few, many: 0 };
        assert!(!pace.is_exceeded_by(few(FEW), start));
        assert!(!pace.is_exceeded_by(few(FEW), start + 2 * WINDOW));
        assert!(pace.is_exceeded_by(few(1), start + 2 * WINDOW));
        assert!(!pace.is_exceeded_by(Count { few: 0, many: MANY }, start + 4 * WINDOW));
        assert!(pace.is_exceeded_by(Count { few: 0, many: 1 }, start + 4 * WINDOW));
    }
}
