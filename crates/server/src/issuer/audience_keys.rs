//! The keys for the tokens of one audience: its own, and those of the default ring for as long as they count for it.
//!
//! 1. Until a key of its own signs, the default ring does: an audience is moved to keys of its own without a gap.
//! 2. The keys of the default ring that may have signed for it before that prove its tokens until the last of those is over.
//!    After that no key of another ring does.

use std::sync::Arc;

use super::key_ring::{KeyRing, SigningKey};
use super::ring::Ring;
use crate::clock::Moment;
use crate::limits::{CLOCK_SKEW_S, MAX_GRANT_S};

/// The keys for one audience at one moment.
pub(super) struct AudienceKeys {
    own: Option<Arc<KeyRing>>,
    /// Whether its own are to sign.
    signs: bool,
    default: Arc<KeyRing>,
}

impl AudienceKeys {
    /// Those of an audience with this ring of its own, if it has one.
    pub(super) fn new(own: Option<&Ring>, default: &Ring) -> AudienceKeys {
        AudienceKeys {
            signs: own.is_some_and(|own| own.settings().signs),
            own: own.map(Ring::keys),
            default: default.keys(),
        }
    }

    /// Whether a key of its own signs.
    pub(super) fn has_own_signer(&self) -> bool {
        self.own().is_some()
    }

    /// The key that signs its tokens.
    pub(super) fn signer(&self) -> &SigningKey {
        self.own().map_or(&self.default, |(own, _)| own).signer()
    }

    /// The key that signs challenges for its proxies: one that they have had the time to fetch.
    pub(super) fn challenger(&self, now: Moment) -> &SigningKey {
        let default = self.default.challenger(now);
        match self.own() {
            None => default.unwrap_or(self.default.signer()),
            Some((own, since)) => own
                .challenger(now)
                .or(default.filter(|key| has_signed_before(key, since, now)))
                .unwrap_or(own.signer()),
        }
    }

    /// The keys that may have signed a token of it that still holds, and those that will sign.
    pub(super) fn published(&self, now: Moment) -> Vec<&Arc<SigningKey>> {
        let since = self.own().map(|(_, since)| since);
        let mut keys = self.default.published(now);
        keys.retain(|key| since.is_none_or(|since| has_signed_before(key, since, now)));
        keys.extend(self.own.iter().flat_map(|own| own.published(now)));
        keys
    }

    /// Its own keys, if one of them signs, and the second since when.
    fn own(&self) -> Option<(&Arc<KeyRing>, i64)> {
        self.own.as_ref().filter(|_| self.signs).and_then(|own| Some((own, own.began()?)))
    }
}

/// Whether this key of the default ring may have signed, before the own keys of an audience began to, a token of it that
/// still holds.
///
/// Relies on INVARIANT (longest-grant) and INVARIANT (skew).
fn has_signed_before(key: &SigningKey, own_since: i64, now: Moment) -> bool {
    let over = own_since.saturating_add(MAX_GRANT_S + CLOCK_SKEW_S);
    !key.name.waits() && key.name.begins() < own_since && now.seconds() < over
}
