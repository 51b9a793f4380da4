//! The name of a key file: what it says of its key, and which key signs when.
//!
//! `<seconds>-<kid>.pem` was made at that time, and signs from then on. `<seconds>-<kid>.from-<seconds>.pem` is published
//! from the moment that it is there, and signs from the second time on: proxies fetch it before they need it. The `kid` is
//! the key's thumbprint (RFC 7638), so a file that was renamed by mistake is noticed.

use std::fmt;

use crate::clock::Moment;
use crate::limits::{CLOCK_SKEW_S, MAX_GRANT_S};

/// What a key file's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    /// When the key was made, in seconds.
    pub made_at: i64,
    /// Its `kid`.
    pub kid: String,
    /// From when on it signs, in seconds; none for one that signs at once.
    pub signs_from: Option<i64>,
}

impl KeyName {
    /// Reads a file's name; `None` for a file that is no key.
    #[must_use]
    pub fn parse(name: &str) -> Option<KeyName> {
        let (made_at, rest) = name.strip_suffix(".pem")?.split_once('-')?;
        let (kid, signs_from) = match rest.split_once(".from-") {
            None => (rest, None),
            Some((kid, seconds)) => (kid, Some(seconds.parse().ok()?)),
        };
        Some(KeyName { made_at: made_at.parse().ok()?, kid: kid.to_owned(), signs_from })
    }

    /// When its turn to sign begins.
    #[must_use]
    pub fn begins(&self) -> i64 {
        self.signs_from.unwrap_or(self.made_at)
    }

    /// Whether its turn has not come yet. A key that signs at once never waits, whatever the clock says.
    #[must_use]
    pub fn waits(&self, now: Moment) -> bool {
        self.signs_from.is_some_and(|from| now.seconds() < from)
    }

    /// Keys take their turns in this order.
    pub(super) fn turn(&self) -> (i64, i64, String) {
        (self.begins(), self.made_at, self.kid.clone())
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "{}-{}", self.made_at, self.kid)?;
        if let Some(from) = self.signs_from {
            write!(text, ".from-{from}")?;
        }
        text.write_str(".pem")
    }
}

/// The place of the key that signs, among keys in the order of their turns: the last one that does not wait. Where all
/// wait, the first: a service that cannot sign would help no one.
pub(super) fn signs<'a>(
    keys: impl DoubleEndedIterator<Item = &'a KeyName> + ExactSizeIterator,
    now: Moment,
) -> usize {
    keys.enumerate().rev().find(|(_, key)| !key.waits(now)).map_or(0, |(index, _)| index)
}

/// Until when a key is published that `successor` follows, in seconds: the last grant that it could have signed is over
/// then.
///
/// Relies on INVARIANT (longest-grant) and INVARIANT (skew).
pub(super) fn published_until(successor: &KeyName) -> i64 {
    successor.begins().saturating_add(MAX_GRANT_S + CLOCK_SKEW_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_no_other_name() {
        for name in ["17-a-b_c.pem", "17-a-b_c.from-18.pem", "0--.pem"] {
            assert_eq!(KeyName::parse(name).unwrap().to_string(), name);
        }
        for name in
            ["", ".17-a.pem", "a-17.pem", "17.pem", "17-a", "17-a.from-.pem", "17-a.from-b.pem"]
        {
            assert_eq!(KeyName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_last_key_whose_turn_has_come_signs() {
        let keys: Vec<KeyName> = ["1-a.pem", "2-b.pem", "2-c.from-10.pem"]
            .iter()
            .filter_map(|name| KeyName::parse(name))
            .collect();
        for (now, signer) in [(0, 1), (2, 1), (9, 1), (10, 2), (99, 2)] {
            assert_eq!(signs(keys.iter(), Moment::from_seconds(now)), signer, "{now}");
        }
        assert_eq!(signs(keys[2..].iter(), Moment::from_seconds(0)), 0);
    }
}
