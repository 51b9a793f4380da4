//! How much each type of event matters: one table.

use crate::alerts::TYPE_PREFIX;
use crate::deliveries::Severity;
use crate::events::EventType;
use crate::words::Vocabulary as _;

impl EventType {
    /// How much an event of this type matters.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            EventType::ConfigurationRead
            | EventType::GroupsChanged
            | EventType::IncidentChecked
            | EventType::Probed
            | EventType::ProbeJudged
            | EventType::DeliveryReplayed
            | EventType::SessionBegan
            | EventType::SignedIn
            | EventType::TokenIssued
            | EventType::RotationDone
            | EventType::RotationOwed
            | EventType::RotationRetried => Severity::Info,
            EventType::HeldEndsConfirmed
            | EventType::ReviewOwed
            | EventType::ReviewSigned
            | EventType::SessionEnded
            | EventType::Activated
            | EventType::Ending
            | EventType::Expired
            | EventType::Revoked
            | EventType::Answered
            | EventType::Approved
            | EventType::Cancelled
            | EventType::Denied
            | EventType::Lapsed
            | EventType::PartlyApproved
            | EventType::Questioned
            | EventType::Submitted => Severity::Notice,
            EventType::ClockAccepted
            | EventType::ConfigurationWidened
            | EventType::Escalated
            | EventType::EvidenceMade
            | EventType::HolderLeft
            | EventType::ProxyForgotten
            | EventType::ReviewOverdue
            | EventType::RotationFailed => Severity::Warning,
            EventType::EmergencyTaken
            | EventType::ReviewDisputed
            | EventType::MassLoss
            | EventType::Restored
            | EventType::Unreached => Severity::Critical,
        }
    }
}

/// How much an event of a request matters, by its type and by whether the request was called an emergency: a pager that hears
/// of what is critical rings when one is submitted.
#[must_use]
pub fn severity_of_request(kind: &str, is_emergency: bool) -> Severity {
    let usual = severity_of(kind);
    match EventType::of(kind).filter(|_| is_emergency) {
        Some(EventType::Submitted | EventType::Escalated) => usual.max(Severity::Critical),
        Some(EventType::Approved | EventType::Activated) => usual.max(Severity::Warning),
        _ => usual,
    }
}

/// How much an event of the type that is written so matters. A type that is not known here is a warning, so that the filter
/// of a sink rather lets it through.
#[must_use]
pub fn severity_of(kind: &str) -> Severity {
    if let Some(known) = EventType::of(kind) {
        return known.severity();
    }
    match kind.strip_prefix(TYPE_PREFIX) {
        Some("first_use" | "cut") => Severity::Notice,
        Some("emergency_used" | "configured_twice" | "chain_restarted") => Severity::Critical,
        _ => Severity::Warning,
    }
}
