//! What an alert can be about.

use serde::Serialize;

/// What an alert can be about: a word in a report, in the type of its event, in filters of sinks. Deliberately exhaustive:
/// whoever matches on it must react to a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// More than a few tokens in a minute whose signature is not their key's, or whose `alg` is not. One alert for all of a
    /// minute.
    SignatureFailures,
    /// More than a few tokens in a minute of unknown keys or issuers. One alert for all of a minute.
    UnknownKeys,
    /// An expired or revoked token was tried. Its signature is valid.
    VoidToken,
    /// A holder asked for what the grant does not open: no scope covers it, a requirement is not met, or it could be read
    /// in two ways. `reason` says which.
    OutOfScope,
    /// A holder asked for what no grant can reach.
    Ceiling,
    /// A holder has to sign in again, or by a stronger factor, before the scope counts.
    StepUpMissing,
    /// A token came with another client certificate than the one that it is bound to or with none, or from a network that
    /// the scope does not allow: it may be stolen. `reason` says which.
    SenderMismatch,
    /// A grant that is no emergency's was used for the first time in this VM.
    FirstUse,
    /// The grant of an emergency was used for the first time in this VM.
    EmergencyUsed,
    /// What ran was ended before its time: its grant was revoked, a new configuration does not cover it, nothing is known
    /// of the grant any more, or its answer leads elsewhere. `reason` says which. The end of a grant's own time, or of
    /// `max_stream`, is none.
    Cut,
    /// A request was let through although nothing confirmed its grant (`on_unavailable: allow`).
    DegradedDecision,
    /// Envoy used another route than the one that was judged.
    RouteChanged,
    /// Two instances of the filter with different configurations are in one chain.
    ConfiguredTwice,
    /// A chain of records began in an Envoy process in which one of the same configuration had begun before: a VM of the
    /// filter was restarted, and what it had not logged is lost.
    ChainRestarted,
    /// What is known of revocations is older than `max_staleness`; and, with `over`, it no longer is.
    FeedTrouble,
    /// An issuer's keys cannot be fetched; and, with `over`, they were.
    KeyTrouble,
}

/// Who causes an alert. Each class has a budget of its own for what is told to people: what strangers can cause at will
/// must not use up what a grant or the filter has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Clients with any token, also one that was made up.
    Strangers,
    /// Holders of a grant.
    Holders,
    /// A grant, or the filter itself.
    Filter,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [AlertKind; 16] = [
        AlertKind::SignatureFailures,
        AlertKind::UnknownKeys,
        AlertKind::VoidToken,
        AlertKind::OutOfScope,
        AlertKind::Ceiling,
        AlertKind::StepUpMissing,
        AlertKind::SenderMismatch,
        AlertKind::FirstUse,
        AlertKind::EmergencyUsed,
        AlertKind::Cut,
        AlertKind::DegradedDecision,
        AlertKind::RouteChanged,
        AlertKind::ConfiguredTwice,
        AlertKind::ChainRestarted,
        AlertKind::FeedTrouble,
        AlertKind::KeyTrouble,
    ];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            AlertKind::SignatureFailures => "signature_failures",
            AlertKind::UnknownKeys => "unknown_keys",
            AlertKind::VoidToken => "void_token",
            AlertKind::OutOfScope => "out_of_scope",
            AlertKind::Ceiling => "ceiling",
            AlertKind::StepUpMissing => "step_up_missing",
            AlertKind::SenderMismatch => "sender_mismatch",
            AlertKind::FirstUse => "first_use",
            AlertKind::EmergencyUsed => "emergency_used",
            AlertKind::Cut => "cut",
            AlertKind::DegradedDecision => "degraded_decision",
            AlertKind::RouteChanged => "route_changed",
            AlertKind::ConfiguredTwice => "configured_twice",
            AlertKind::ChainRestarted => "chain_restarted",
            AlertKind::FeedTrouble => "feed_trouble",
            AlertKind::KeyTrouble => "key_trouble",
        }
    }

    /// The kind that the word names; nothing for any other word, such as a newer filter's. That counts as class
    /// [`Class::Filter`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<AlertKind> {
        AlertKind::ALL.into_iter().find(|one| one.word() == word)
    }

    /// Who causes it.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            AlertKind::SignatureFailures | AlertKind::UnknownKeys | AlertKind::VoidToken => {
                Class::Strangers
            }
            AlertKind::OutOfScope
            | AlertKind::Ceiling
            | AlertKind::StepUpMissing
            | AlertKind::SenderMismatch => Class::Holders,
            AlertKind::FirstUse
            | AlertKind::EmergencyUsed
            | AlertKind::Cut
            | AlertKind::DegradedDecision
            | AlertKind::RouteChanged
            | AlertKind::ConfiguredTwice
            | AlertKind::ChainRestarted
            | AlertKind::FeedTrouble
            | AlertKind::KeyTrouble => Class::Filter,
        }
    }
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 3] = [Class::Strangers, Class::Holders, Class::Filter];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Class::Strangers => "strangers",
            Class::Holders => "holders",
            Class::Filter => "filter",
        }
    }

    /// The class that the word names; nothing for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|one| one.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_kind_and_a_class_are_written_as_their_words() {
        for kind in AlertKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
            assert_eq!(AlertKind::from_word(kind.word()), Some(kind));
        }
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.word());
            assert_eq!(Class::from_word(class.word()), Some(class));
            assert!(AlertKind::ALL.iter().any(|kind| kind.class() == class));
        }
        assert_eq!(AlertKind::from_word("solar_flare"), None);
        assert_eq!(Class::from_word("Filter"), None);
    }
}
