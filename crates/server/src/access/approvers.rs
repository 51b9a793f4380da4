//! Whose approval counts for a request, as far as the directory knows.

/// The people who may approve, by name, each once; never the requester in any spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approvers {
    /// These and no others. Where it is empty, no person may approve.
    Complete(Vec<String>),
    /// These, and perhaps others; at least one.
    Seen(Vec<String>),
    /// It is not known whether any person may.
    Unknown,
}

impl Approvers {
    /// Those who are known by name.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Approvers::Complete(names) | Approvers::Seen(names) => names,
            Approvers::Unknown => &[],
        }
    }

    /// The same, to keep; nothing where no name is known and there may be approvers all the same.
    #[must_use]
    pub fn into_names(self) -> Option<Vec<String>> {
        match self {
            Approvers::Complete(names) | Approvers::Seen(names) => Some(names),
            Approvers::Unknown => None,
        }
    }

    /// Whether it is certain that no person may approve.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Approvers::Complete(names) if names.is_empty())
    }
}
