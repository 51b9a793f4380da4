//! What a proxy does with a request whose grant it cannot verify.

/// What happens to a request whose grant cannot be verified: a word in the filter's configuration, and in the header
/// by which a proxy tells the approval service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// It is refused.
    Deny,
    /// It passes; the audit record and a counter say so.
    Allow,
}

impl OnUnavailable {
    /// All of them.
    pub const ALL: [OnUnavailable; 2] = [OnUnavailable::Deny, OnUnavailable::Allow];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            OnUnavailable::Deny => "deny",
            OnUnavailable::Allow => "allow",
        }
    }

    /// What the word says; nothing for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<OnUnavailable> {
        OnUnavailable::ALL.into_iter().find(|one| one.word() == word)
    }
}
