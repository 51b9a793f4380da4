//! The names that a person may have meant.

use strsim::damerau_levenshtein;

use breakglass_audit::folded::Folded;

/// The most names that are told.
const MOST: usize = 3;

/// The longest name that is compared letter by letter, in characters: nobody mistypes a longer one.
const LONGEST: usize = 64;

/// The fewest characters that a beginning must have to stand for a name.
const SHORTEST_BEGINNING: usize = 3;

/// Those of `names` that are near `wanted`, the nearest first.
#[must_use]
pub fn names<'n>(names: impl Iterator<Item = &'n str>, wanted: &str) -> Vec<String> {
    let wanted = Wanted::new(wanted);
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| *name != wanted.name)
        .filter_map(|name| Some((wanted.distance(name)?, name)))
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, name)| name.to_owned()).take(MOST).collect()
}

struct Wanted<'a> {
    name: &'a str,
    folded: Folded,
    lower: String,
    length: usize,
}

impl<'a> Wanted<'a> {
    fn new(name: &'a str) -> Wanted<'a> {
        let lower = name.to_lowercase();
        let length = lower.chars().count();
        Wanted { name, folded: Folded::new(name), lower, length }
    }

    /// How far `name` is from it; nothing where nobody would take one for the other.
    fn distance(&self, name: &str) -> Option<usize> {
        if self.folded.is(name) {
            return Some(0);
        }
        let lower = name.to_lowercase();
        let length = lower.chars().count();
        let (shorter, longer) = (self.length.min(length), self.length.max(length));
        if longer > LONGEST {
            return None;
        }
        let begins = shorter >= SHORTEST_BEGINNING
            && (lower.starts_with(&self.lower) || self.lower.starts_with(&lower));
        // Every third letter wrong is another word; and letters that are missing are wrong ones.
        let limit = longer.div_ceil(3).saturating_sub(1).max(1);
        if !begins && longer.saturating_sub(shorter) > limit {
            return None;
        }
        let distance = damerau_levenshtein(&self.lower, &lower);
        (begins || distance <= limit).then_some(distance.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_mistyped_is_near() {
        for (wanted, name) in [
            ("orders:raed", "orders:read"),
            ("orders-read", "orders:read"),
            ("order:write", "orders:write"),
            ("Orders:Read", "orders:read"),
            ("\u{43e}rders:read", "orders:read"),
            ("orders", "orders:read"),
            ("orders:read:all", "orders:read"),
            ("bd:admin", "db:admin"),
        ] {
            assert!(Wanted::new(wanted).distance(name).is_some(), "{wanted} {name}");
        }
    }

    #[test]
    fn another_name_is_not() {
        for (wanted, name) in [
            ("orders:delete", "db:admin"),
            ("payments:read", "orders:write"),
            ("x", "yz"),
            ("or", "orders:read"),
            (&"o".repeat(300), "orders:read"),
        ] {
            assert_eq!(Wanted::new(wanted).distance(name), None, "{wanted} {name}");
        }
    }
}
