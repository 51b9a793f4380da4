//! Why a grant exists.

use serde::{Deserialize, Serialize};

/// Why a grant exists: a word in a token, in the filter's configuration and in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Other people approved this request.
    Approved,
    /// A rule approved such requests in advance.
    PreApproved,
    /// Its holder took it without waiting, as a rule allows in an emergency.
    Emergency,
}

impl Basis {
    /// All of them.
    pub const ALL: [Basis; 3] = [Basis::Approved, Basis::PreApproved, Basis::Emergency];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Basis::Approved => "approved",
            Basis::PreApproved => "pre_approved",
            Basis::Emergency => "emergency",
        }
    }

    /// What the word says; nothing for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Basis> {
        Basis::ALL.into_iter().find(|one| one.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_basis_is_written_as_its_word() {
        for basis in Basis::ALL {
            assert_eq!(serde_json::to_value(basis).unwrap(), basis.word());
            assert_eq!(Basis::from_word(basis.word()), Some(basis));
        }
        assert_eq!(Basis::from_word("Approved"), None);
    }
}
