//! What is asked outside: decisions need some of it, and calls carry it.

/// What must be asked outside before a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// The keys of the issuer with this index.
    Keys(usize),
    /// The news of the feed.
    Feed,
    /// Whether the head of this VM's audit chain has arrived. No decision needs it.
    Head,
    /// Whether the heads of several VMs' chains have arrived. No decision needs it.
    SharedHeads,
    /// Whether the report of an answered challenge has arrived. No decision needs it.
    Probes,
    /// Whether the report of the configuration has arrived. No decision needs it.
    Configuration,
    /// Whether the report of alerts has arrived. No decision needs it.
    Alerts,
    /// Whether a grant still stands.
    Standing {
        /// The index of the issuer.
        issuer: usize,
        /// The grant's id.
        jti: String,
    },
}

impl Question {
    /// The word for it in counters.
    pub(crate) const fn purpose(&self) -> &'static str {
        match self {
            Question::Keys(_) => "jwks",
            Question::Feed => "feed",
            Question::Head | Question::SharedHeads => "heads",
            Question::Probes => "probe_report",
            Question::Configuration => "configuration_report",
            Question::Alerts => "alert_report",
            Question::Standing { .. } => "introspection",
        }
    }
}
