//! The name of a key file: what it says of its key, and which key signs.
//!
//! `<seconds>-<kid>.pem` signs from that time on, until a later one does. `<seconds>-<kid>.from-<seconds>.pem` is published
//! from the moment that it is there, and waits to sign: for the second time, and for the proxies to have it. The end of the
//! wait ([`crate::key_switch`], or an operator with `--force`) is a new name of the first form, with the time at which it
//! ended. The `kid` is the key's thumbprint (RFC 7638), so a file that was renamed by mistake is noticed.

use std::fmt;

use crate::limits::{CLOCK_SKEW_S, MAX_GRANT_S};

/// What a key file's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    /// When its turn to sign began; of one that waits, when it was made. In seconds.
    pub made_at: i64,
    /// Its `kid`.
    pub kid: String,
    /// The earliest second at which its wait ends; none for one whose turn has come.
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

    /// When its turn to sign began, or begins at the earliest.
    #[must_use]
    pub fn begins(&self) -> i64 {
        self.signs_from.unwrap_or(self.made_at)
    }

    /// Whether its turn has not come yet.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.signs_from.is_some()
    }

    /// The name of the same key once its wait has ended at this second.
    #[must_use]
    pub(super) fn switched(&self, at: i64) -> KeyName {
        KeyName { made_at: at, kid: self.kid.clone(), signs_from: None }
    }

    /// Keys take their turns in this order: those that wait come last.
    pub(super) fn turn(&self) -> (bool, i64, i64, String) {
        (self.waits(), self.begins(), self.made_at, self.kid.clone())
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
/// wait, `otherwise` says which.
pub(super) fn signs<'a>(
    keys: impl DoubleEndedIterator<Item = &'a KeyName> + ExactSizeIterator,
    otherwise: Otherwise,
) -> Option<usize> {
    let begun = keys.enumerate().rev().find(|(_, key)| !key.waits()).map(|(index, _)| index);
    begun.or((otherwise == Otherwise::First).then_some(0))
}

/// Which key signs where all keys of a ring wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// The first of them, in the default ring: a service that cannot sign would help no one.
    First,
    /// None of them, in the ring of an audience: the default ring signs.
    None,
}

/// Until when a key is published that `successor` follows, in seconds: the last grant that it could have signed is over
/// then. Nothing while the successor waits: it still signs.
///
/// Relies on INVARIANT (longest-grant) and INVARIANT (skew).
pub(super) fn published_until(successor: &KeyName) -> Option<i64> {
    (!successor.waits()).then(|| successor.begins().saturating_add(MAX_GRANT_S + CLOCK_SKEW_S))
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

    fn names(names: &[&str]) -> Vec<KeyName> {
        let mut names: Vec<KeyName> =
            names.iter().map(|name| KeyName::parse(name).unwrap()).collect();
        names.sort_by_key(KeyName::turn);
        names
    }

    #[test]
    fn the_last_key_whose_turn_has_come_signs() {
        for (keys, signer) in [
            (&["1-a.pem", "2-b.pem", "2-c.from-10.pem"][..], "b"),
            // Also where a later one signs at once.
            (&["1-a.pem", "2-c.from-10.pem", "20-b.pem"], "b"),
            (&["1-a.pem", "2-b.pem", "10-c.pem"], "c"),
            (&["2-d.from-20.pem", "2-c.from-10.pem"], "c"),
        ] {
            let keys = names(keys);
            let place = signs(keys.iter(), Otherwise::First).unwrap();
            assert_eq!(keys[place].kid, signer, "{keys:?}");
            let begun = signs(keys.iter(), Otherwise::None);
            assert_eq!(begun, Some(place).filter(|place| !keys[*place].waits()), "{keys:?}");
        }
    }

    #[test]
    fn a_key_that_signs_stays_published() {
        let [signs, waits] = names(&["5-b.pem", "2-c.from-10.pem"])
            .try_into()
            .unwrap_or_else(|_| panic!("two names"));
        assert_eq!(published_until(&signs), Some(5 + MAX_GRANT_S + CLOCK_SKEW_S));
        assert_eq!(published_until(&waits), None);
        assert_eq!(waits.switched(12).to_string(), "12-c.pem");
    }
}
