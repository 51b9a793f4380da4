//! What is asked outside.

/// What this worker asks outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The keys of the issuer with this index.
    Keys(usize),
    /// The feed of revocations.
    Feed,
    /// Introspection.
    Introspection,
    /// The reports of audit heads.
    Heads,
    /// The reports of alerts.
    Alerts,
}
