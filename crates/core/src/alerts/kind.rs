//! Which decision causes which alert.

use breakglass_types::alerts::AlertKind;

use crate::audit::{Decision, RevocationSource, Ruled};
use crate::reason::{AllowReason, DenyReason, Reason};

/// The alert that a decision about a request with a verified token causes, if there is one, besides that of the grant's
/// first use.
pub(super) fn of(ruled: &Ruled) -> Option<AlertKind> {
    match ruled.reason {
        Reason::Allowed(AllowReason::PermitUnverified) => {
            // A configuration that names nothing to ask lacks nothing.
            let source = ruled.standing.map(|standing| standing.source);
            (source != Some(RevocationSource::NotConfigured)).then_some(AlertKind::DegradedDecision)
        }
        Reason::Allowed(AllowReason::Permit | AllowReason::PermitIntrospected)
        | Reason::NoToken
        | Reason::ClientGone => None,
        Reason::Refused(reason) if ruled.decision == Decision::Cut => of_cut(reason),
        Reason::Refused(reason) => of_refusal(reason),
    }
}

/// Why something that ran was ended.
const fn of_cut(reason: DenyReason) -> Option<AlertKind> {
    match reason {
        // The time that it was granted for is over.
        DenyReason::TokenExpired | DenyReason::MaxStream => None,
        DenyReason::RouteChanged => Some(AlertKind::RouteChanged),
        _ => Some(AlertKind::Cut),
    }
}

/// Why something was refused, or would have been.
const fn of_refusal(reason: DenyReason) -> Option<AlertKind> {
    match reason {
        DenyReason::TokenExpired | DenyReason::Revoked => Some(AlertKind::VoidToken),
        DenyReason::Ceiling => Some(AlertKind::Ceiling),
        DenyReason::OutOfScope
        | DenyReason::MethodOverride
        | DenyReason::ReservedHeader
        | DenyReason::SecondResource
        | DenyReason::AmbiguousPath
        | DenyReason::RoleMissing
        | DenyReason::ScopeLifetimeExceeded
        | DenyReason::ScopeChanged
        | DenyReason::ScopeWithdrawn
        | DenyReason::BasisNotAllowed
        | DenyReason::ApprovalsMissing => Some(AlertKind::OutOfScope),
        DenyReason::StepUpRequired => Some(AlertKind::StepUpMissing),
        DenyReason::SenderMismatch | DenyReason::SourceNotAllowed => {
            Some(AlertKind::SenderMismatch)
        }
        DenyReason::RouteChanged => Some(AlertKind::RouteChanged),
        // In shadow mode what leads elsewhere goes on.
        DenyReason::RedirectElsewhere => Some(AlertKind::Cut),
        // An alert tells of the chain, of the feed or of the keys, and not of each request.
        DenyReason::ConfiguredTwice
        | DenyReason::RevocationUnknown
        | DenyReason::KeysUnavailable
        // Of no verified token, or of none at all.
        | DenyReason::TokenMissing
        | DenyReason::TokenDuplicated
        | DenyReason::TokenTooLarge
        | DenyReason::TokenMalformed
        | DenyReason::TokenType
        | DenyReason::IssuerUnknown
        | DenyReason::AlgorithmNotAllowed
        | DenyReason::KeyUnknown
        | DenyReason::SignatureInvalid
        | DenyReason::ClaimMissing
        | DenyReason::ClaimInvalid
        | DenyReason::AudienceMismatch
        | DenyReason::LifetimeExceeded
        // The clocks are apart, or the filter itself failed: the log says so.
        | DenyReason::TokenNotYetValid
        | DenyReason::MaxStream
        | DenyReason::InternalError => None,
    }
}
