//! When a signing key that waits begins to sign: at its time, and not before every proxy has it.
//!
//! 1. Waited for is each proxy that lives and says which keys it has. One that says none of it (an older filter, inline
//!    keys alone, too many keys) has had the time until then. One that is silent for longer than it believes what it knows is
//!    not waited for: it refuses new requests by itself, and meets the new key when it comes back.
//! 2. After a start the proxies are not known yet: the service waits for one round of their polls.
//! 3. The end of the wait is the file's new name, so that it outlasts a restart. In a directory that cannot be written it is
//!    kept in memory, and waited for anew after a restart.
//! 4. A clock that is not believed ends no wait.
//! 5. A ring waits for the proxies that may be shown a token of it: those whose credential is for its audience, or for all.
//!    Until the first key of an audience signs, the default ring signs for it, and its proxies are the default ring's too.

use crate::app::App;
use crate::clock::Moment;
use crate::issuer::{KeyError, KeyName, Ring};
use crate::limits::{CLOCK_SKEW_S, MAX_GRANT_S, MAX_WAIT_S};

/// How long after its start the service knows every proxy that lives, in seconds: a poll hangs no longer than
/// [`MAX_WAIT_S`], and one that failed is tried again within seconds.
pub const ROUND_S: i64 = MAX_WAIT_S + 30;

/// A key whose time has come and that does not sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldUp {
    /// The key.
    pub key: KeyName,
    /// The proxies that live and do not have it: credential and node. Without any, the service has just started, or the
    /// switch is about to be made.
    pub lacking: Vec<(String, String)>,
    /// Whether the service has not heard every proxy yet.
    pub is_starting: bool,
}

impl HeldUp {
    /// How long ago its time came, in seconds; at least 1.
    #[must_use]
    pub fn overdue_s(&self, now: Moment) -> i64 {
        now.seconds().saturating_sub(self.key.begins()).max(1)
    }
}

/// The key of a ring whose time has come and that does not sign, if there is one.
#[must_use]
pub fn held_up(app: &App, ring: &Ring, now: Moment) -> Option<HeldUp> {
    let key = ring.waits().filter(|key| key.begins() <= now.seconds())?;
    let (nodes, config, rings) = (app.feed().nodes(), app.config(), app.issuer().rings());
    let heard = nodes.since().map_or(0, |since| now.seconds().saturating_sub(since.seconds()));
    let is_shown = |proxy: &str| {
        let known = config.proxies.iter().find(|one| one.name == proxy);
        known.is_none_or(|one| rings.signs_for(ring, one.audiences.as_deref()))
    };
    let lacking = nodes.lacking(now, &key.kid, is_shown);
    Some(HeldUp { key, lacking, is_starting: heard < ROUND_S })
}

/// Lets a key of a ring sign whose wait is over; what holds it up otherwise.
///
/// # Errors
/// [`KeyError`] if that could not be written down. It signs all the same.
pub fn step(app: &App, ring: &Ring) -> Result<Option<HeldUp>, KeyError> {
    let Ok(now) = app.trusted_now() else { return Ok(None) };
    let Some(held) = held_up(app, ring, now.moment()) else { return Ok(None) };
    if held.is_starting || !held.lacking.is_empty() {
        return Ok(Some(held));
    }
    // After the last turn of the default ring, whose key may have signed for this audience in this second.
    let default = app.issuer().default_ring().directory().next_turn(now.moment())?;
    let at = ring.directory().next_turn(now.moment())?.max(default);
    let audience = ring.audience();
    tracing::info!(kid = held.key.kid, audience, "a new key signs: every proxy that lives has it");
    ring.switch(&held.key, at)?;
    Ok(None)
}

/// Lets a key of the default ring sign at the start whose time came so long ago that, by a version that switched by time
/// alone, the key before it is not published any more. That version had no other ring.
///
/// # Errors
/// [`KeyError`] if that could not be written down. It signs all the same.
pub fn catch_up(app: &App) -> Result<(), KeyError> {
    let now = app.now().seconds();
    let mut result = Ok(());
    let ring = app.issuer().default_ring();
    while let Some(key) = ring.waits() {
        if now < key.begins().saturating_add(MAX_GRANT_S + CLOCK_SKEW_S) {
            break;
        }
        tracing::warn!(
            kid = key.kid,
            "a key signs whose time came more than a day before the start"
        );
        result = result.and(ring.switch(&key, key.begins()));
    }
    result
}
