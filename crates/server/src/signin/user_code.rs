//! User codes: what a person types by hand (RFC 8628 section 6.1). Eight letters without vowels, which form no words, and
//! without those that look like digits: 20^8, about 2^34.5.

use crate::random::Randomness;

const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// How many letters one has.
const LETTERS: usize = 8;

/// The longest text that is looked at, in bytes: a code with blanks and hyphens.
const MAX_TYPED: usize = 64;

/// A new one: its letters alone.
#[must_use]
pub fn new(randomness: &Randomness) -> String {
    let mut code = String::with_capacity(LETTERS);
    while code.len() < LETTERS {
        // Above the last multiple of 20 some letters would come more often than others.
        let letter = |byte: u8| ALPHABET.get(usize::from(byte % 20)).filter(|_| byte < 240);
        let letters = randomness.bytes::<LETTERS>();
        let letters = letters.into_iter().filter_map(letter).map(|letter| char::from(*letter));
        code.extend(letters.take(LETTERS.saturating_sub(code.len())));
    }
    code
}

/// The letters that a person means; nothing where it cannot be a code. Case, blanks and punctuation do not matter.
#[must_use]
pub fn fold(typed: &str) -> Option<String> {
    if typed.len() > MAX_TYPED {
        return None;
    }
    let letters: String = typed
        .chars()
        .filter(|typed| !typed.is_whitespace() && !typed.is_ascii_punctuation())
        .map(|typed| typed.to_ascii_uppercase())
        .collect();
    let is_code =
        letters.len() == LETTERS && letters.bytes().all(|letter| ALPHABET.contains(&letter));
    is_code.then_some(letters)
}

/// As people read it: `WDJB-MJHT`.
#[must_use]
pub fn shown(letters: &str) -> String {
    match letters.split_at_checked(LETTERS / 2) {
        Some((first, second)) => format!("{first}-{second}"),
        None => letters.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_a_person_types_is_folded_and_what_is_no_code_is_not_looked_for() {
        for typed in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht\t", "W-D-J-B-M-J-H-T", "wDjB.MjHt"] {
            assert_eq!(fold(typed).as_deref(), Some("WDJBMJHT"), "{typed}");
        }
        let long = "W".repeat(1 << 20);
        for typed in
            ["", "WDJB-MJH", "WDJB-MJHTW", "WDJB-MJH1", "WDJB-MJHA", "\u{ff37}DJBMJHT", &long]
        {
            assert_eq!(fold(typed), None);
        }
    }

    #[test]
    fn every_letter_comes_as_often_as_the_others() {
        let randomness = Randomness::from_seed(1);
        let mut counts: BTreeMap<char, u32> = BTreeMap::new();
        for _ in 0..5000 {
            let code = new(&randomness);
            assert_eq!(fold(&shown(&code)).as_deref(), Some(code.as_str()));
            code.chars().for_each(|letter| *counts.entry(letter).or_default() += 1);
        }
        assert_eq!(counts.len(), 20);
        // 2000 are expected of each, give or take 44.
        assert!(counts.values().all(|count| (1780..2220).contains(count)), "{counts:?}");
    }
}
