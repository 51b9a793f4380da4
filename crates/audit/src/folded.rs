//! The comparison of names that refuses and finds: spellings that a person would take for one
//! another are equal. What allows something compares byte for byte, and never uses this.

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

use crate::text;

/// Folding what was folded changes nothing after this many rounds; more would be a fault in the tables.
const ROUNDS: usize = 4;

/// The version of the rules in this file: grows with each change after which a name folds to something else.
const RULES: u32 = 1;

/// What the result of folding depends on besides the name, as text: forms of another version are made anew.
#[must_use]
pub fn tables() -> String {
    let (major, minor, patch) = unicode_normalization::UNICODE_VERSION;
    let looks = unicode_security::UNICODE_VERSION;
    format!("{RULES}/{major}.{minor}.{patch}/{}.{}.{}", looks.0, looks.1, looks.2)
}

/// A name without what does not tell it apart: white space around it, characters that cannot be
/// seen, compatibility forms, case, and letters that look alike in Unicode's table of confusables.
///
/// Two keys, because a capital `I` has the looks of `l` and is the same letter as `i`: names are the
/// same if either key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    case_first: String,
    looks_first: String,
}

impl Folded {
    /// Folds `name`.
    #[must_use]
    pub fn new(name: &str) -> Folded {
        let looks = |text: &str| skeleton(text).collect::<String>();
        Folded {
            case_first: settle(name, |text| looks(&lower(text))),
            looks_first: settle(name, |text| lower(&looks(text))),
        }
    }

    /// Whether `name` is this name in some spelling.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.same(&Folded::new(name))
    }

    /// Both keys, for a database: the one that folds case first, and the one that folds looks first.
    #[must_use]
    pub fn keys(&self) -> [&str; 2] {
        [&self.case_first, &self.looks_first]
    }

    /// Whether both are spellings of one name.
    #[must_use]
    pub fn same(&self, other: &Folded) -> bool {
        self.case_first == other.case_first || self.looks_first == other.looks_first
    }
}

fn settle(name: &str, step: impl Fn(&str) -> String) -> String {
    let mut folded = seen(name);
    for _ in 0..ROUNDS {
        let next = seen(&step(&folded));
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

/// NFKC, one blank for any white space, nothing around it, nothing that cannot be seen.
fn seen(text: &str) -> String {
    let shown: String = text
        .nfkc()
        .filter(|character| character.is_whitespace() || !text::misleads(*character))
        .collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// By way of upper case: `ß` and `ss`, both forms of a small sigma.
fn lower(text: &str) -> String {
    text.to_uppercase().to_lowercase().replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_the_same() {
        for (one, other) in [
            ("alice@example.com", "Alice@Example.COM"),
            ("alice", " alice\u{a0}"),
            ("alice", "al\u{200b}ice"),
            ("alice", "\u{3164}alice\u{2800}"),
            ("alice", "\u{430}lice"),
            ("Alice", "AIice"),
            ("alice", "ａｌｉｃｅ"),
            ("INC-4711", "inc-4711"),
            ("INC-4711", "\u{406}N\u{421}-4711"),
            ("INC-4711", "INC-47l\u{fe0f}1"),
            ("INC-100", "INC-1OO"),
            ("\u{41c}ike", "mike"),
            ("stra\u{df}e", "STRASSE"),
            ("jose\u{301}", "jos\u{e9}"),
        ] {
            assert!(Folded::new(one).is(other), "{one:?} {other:?}");
            assert!(Folded::new(other).is(one), "{other:?} {one:?}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for (one, other) in [
            ("alia", "alla"),
            ("INC-4711", "INC-4712"),
            ("INC-4711", "INC-47111"),
            ("alice@example.com", "alice@example.org"),
            ("jose", "jos\u{e9}"),
            ("orders:read", "orders:write"),
        ] {
            assert!(!Folded::new(one).is(other), "{one:?} {other:?}");
        }
    }
}
