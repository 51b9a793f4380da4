//! Signing keys on a schedule: `signing_keys.rotate_every`.
//!
//! 1. The successor is made so early that its time comes when the key has signed for that long. From there on it is a key
//!    that waits, as one of `breakglass keys rotate` ([`crate::key_switch`]).
//! 2. A key is removed a day after it is over: no grant that it signed has held for that long.
//! 3. By a clock that is not believed nothing is made and nothing removed.

use crate::app::App;
use crate::clock::Moment;
use crate::issuer::{KeyError, KeyState, Ring};

/// For how long a key is published before its time comes, in seconds; longer where a proxy takes longer to fetch it.
pub const PUBLISH_S: i64 = 60 * 60;

/// How long a key that is over is kept, in seconds.
const KEEP_OVER_S: i64 = 24 * 60 * 60;

/// Makes the successor in a ring where it is time, and removes keys that have been over for a day.
///
/// # Errors
/// [`KeyError`] if the directory cannot be read or written.
pub fn step(app: &App, ring: &Ring) -> Result<(), KeyError> {
    if !ring.settings().signs {
        return Ok(());
    }
    let (Some(every), Ok(now)) = (ring.settings().rotate_every, app.trusted_now()) else {
        return Ok(());
    };
    let now = now.moment();
    let directory = ring.directory();
    let keys = directory.list(now)?;
    let waits = keys.iter().any(|(name, _)| name.waits());
    let signs = keys.iter().rev().find(|(_, state)| *state == KeyState::Signs);
    let publish = publish_s(app, now);
    if let (false, Some((name, _))) = (waits, signs) {
        let due = name.begins().saturating_add(every);
        if now.seconds() >= due.saturating_sub(publish) {
            let from = due.max(now.seconds().saturating_add(publish));
            let made = directory.add_from(now, from, app.randomness())?;
            tracing::info!(
                kid = made.kid,
                audience = ring.audience(),
                signs_from = crate::clock::rfc3339(from),
                "made a signing key, because the one that signs is as old as signing_keys.rotate_every says"
            );
        }
    }
    let a_day_ago = Moment::from_seconds(now.seconds().saturating_sub(KEEP_OVER_S));
    for (name, state) in directory.list(a_day_ago)? {
        if state == KeyState::Over {
            directory.remove(&name)?;
            tracing::info!(
                kid = name.kid,
                audience = ring.audience(),
                "removed a signing key that is over"
            );
        }
    }
    Ok(())
}

/// For how long a key is published before its time comes, in seconds: so long that each proxy that lives fetches it.
pub(crate) fn publish_s(app: &App, now: Moment) -> i64 {
    PUBLISH_S.max(app.feed().nodes().longest_refresh(now))
}
