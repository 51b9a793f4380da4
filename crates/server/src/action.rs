//! What changes a request's state: the word in the audit trail, in the counter of changes, and in what the database
//! takes.

/// A change of state.
///
/// INVARIANT (actions): the database takes exactly these words; another one would fail the change itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It was submitted.
    Submit,
    /// It was approved.
    Approve,
    /// It was denied.
    Deny,
    /// It was taken back, or its requester has left.
    Cancel,
    /// A token of its grant was issued.
    IssueToken,
    /// Its grant was ended early.
    Revoke,
}

impl Action {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Action::Submit => "submit",
            Action::Approve => "approve",
            Action::Deny => "deny",
            Action::Cancel => "cancel",
            Action::IssueToken => "issue_token",
            Action::Revoke => "revoke",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_takes_these_words_and_no_others() {
        let migration = include_str!("../migrations/20261122000000_requests_revocations_audit.sql");
        let list = migration.split("action IN (").nth(1).unwrap().split(')').next().unwrap();
        let words: Vec<&str> = list.split(", ").map(|word| word.trim_matches('\'')).collect();
        let all = [
            Action::Submit,
            Action::Approve,
            Action::Deny,
            Action::Cancel,
            Action::IssueToken,
            Action::Revoke,
        ];
        assert_eq!(words, all.map(Action::word));
    }
}
