//! Reason codes: the one word that says why, the same in response, audit record, counters and tests.

/// Why a request is refused. Deliberately exhaustive: whoever matches on it must react to a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DenyReason {
    /// No token, and this request needs one.
    TokenMissing,
    /// The token header occurs more than once.
    TokenDuplicated,
    /// The token is larger than the configured cap.
    TokenTooLarge,
    /// Not a compact JWS with strict base64url and strict JSON, or its header asks for something
    /// that is never granted (`crit`, embedded keys).
    TokenMalformed,
    /// The issuer's tokens do not have this `typ`.
    TokenType,
    /// No configured issuer has this `iss`.
    IssuerUnknown,
    /// `alg` is not allowed for this issuer, or is not the key's.
    AlgorithmNotAllowed,
    /// The issuer has no key with this `kid`.
    KeyUnknown,
    /// The source of the issuer's keys does not answer, so nobody can say.
    KeysUnavailable,
    /// The signature is not that of the key.
    SignatureInvalid,
    /// A required claim is missing.
    ClaimMissing,
    /// A claim has the wrong type or a value out of bounds.
    ClaimInvalid,
    /// The token is for another environment.
    AudienceMismatch,
    /// `exp - iat` is over the issuer's `max_lifetime`.
    LifetimeExceeded,
    /// `nbf` or `iat` lies in the future.
    TokenNotYetValid,
    /// `exp` is past.
    TokenExpired,
    /// What no grant can reach.
    Ceiling,
    /// A method-override header: the upstream may see another method than we do.
    MethodOverride,
    /// A header that only this filter may set, beside a token with a scope that names routes.
    ReservedHeader,
    /// A header or a query parameter that names another path: the upstream may serve another resource than we
    /// judge.
    SecondResource,
    /// A path that can be read in two ways.
    AmbiguousPath,
    /// No scope of the token covers host, route, method and path.
    OutOfScope,
    /// None of the roles that the scope asks for.
    RoleMissing,
    /// The client's address is in none of the scope's networks.
    SourceNotAllowed,
    /// The token lives longer than the scope allows.
    ScopeLifetimeExceeded,
    /// The scope's rules are not those that were approved, or the token does not say which were.
    ScopeChanged,
    /// The grant does not exist for one of the reasons that the scope asks for.
    BasisNotAllowed,
    /// Fewer people approved the grant than the scope asks for.
    ApprovalsMissing,
    /// The holder must authenticate again, or more strongly (RFC 9470).
    StepUpRequired,
    /// The client certificate is not the one that the token is bound to (RFC 8705).
    SenderMismatch,
    /// The grant was revoked.
    Revoked,
    /// Nobody can say whether the grant still stands.
    RevocationUnknown,
    /// A new configuration no longer covers what the old one had allowed.
    ScopeWithdrawn,
    /// Another instance of the filter comes earlier in the chain, and nothing shows that it has the same
    /// configuration.
    ConfiguredTwice,
    /// Envoy used another route than the one that was judged, and the scope does not name it.
    RouteChanged,
    /// The stream has run for as long as its scope lets one run.
    MaxStream,
    /// The answer sends the client to another authority, or from https to http, and the scope does not let it.
    RedirectElsewhere,
    /// The filter itself failed.
    InternalError,
}

impl DenyReason {
    /// Every reason, for tables and tests.
    pub const ALL: [DenyReason; 38] = [
        DenyReason::TokenMissing,
        DenyReason::TokenDuplicated,
        DenyReason::TokenTooLarge,
        DenyReason::TokenMalformed,
        DenyReason::TokenType,
        DenyReason::IssuerUnknown,
        DenyReason::AlgorithmNotAllowed,
        DenyReason::KeyUnknown,
        DenyReason::KeysUnavailable,
        DenyReason::SignatureInvalid,
        DenyReason::ClaimMissing,
        DenyReason::ClaimInvalid,
        DenyReason::AudienceMismatch,
        DenyReason::LifetimeExceeded,
        DenyReason::TokenNotYetValid,
        DenyReason::TokenExpired,
        DenyReason::Ceiling,
        DenyReason::MethodOverride,
        DenyReason::ReservedHeader,
        DenyReason::SecondResource,
        DenyReason::AmbiguousPath,
        DenyReason::OutOfScope,
        DenyReason::RoleMissing,
        DenyReason::SourceNotAllowed,
        DenyReason::ScopeLifetimeExceeded,
        DenyReason::ScopeChanged,
        DenyReason::BasisNotAllowed,
        DenyReason::ApprovalsMissing,
        DenyReason::StepUpRequired,
        DenyReason::SenderMismatch,
        DenyReason::Revoked,
        DenyReason::RevocationUnknown,
        DenyReason::ScopeWithdrawn,
        DenyReason::ConfiguredTwice,
        DenyReason::RouteChanged,
        DenyReason::MaxStream,
        DenyReason::RedirectElsewhere,
        DenyReason::InternalError,
    ];

    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            DenyReason::TokenMissing => "token_missing",
            DenyReason::TokenDuplicated => "token_duplicated",
            DenyReason::TokenTooLarge => "token_too_large",
            DenyReason::TokenMalformed => "token_malformed",
            DenyReason::TokenType => "token_type",
            DenyReason::IssuerUnknown => "issuer_unknown",
            DenyReason::AlgorithmNotAllowed => "algorithm_not_allowed",
            DenyReason::KeyUnknown => "key_unknown",
            DenyReason::KeysUnavailable => "keys_unavailable",
            DenyReason::SignatureInvalid => "signature_invalid",
            DenyReason::ClaimMissing => "claim_missing",
            DenyReason::ClaimInvalid => "claim_invalid",
            DenyReason::AudienceMismatch => "audience_mismatch",
            DenyReason::LifetimeExceeded => "lifetime_exceeded",
            DenyReason::TokenNotYetValid => "token_not_yet_valid",
            DenyReason::TokenExpired => "token_expired",
            DenyReason::Ceiling => "ceiling",
            DenyReason::MethodOverride => "method_override",
            DenyReason::ReservedHeader => "reserved_header",
            DenyReason::SecondResource => "second_resource",
            DenyReason::AmbiguousPath => "ambiguous_path",
            DenyReason::OutOfScope => "out_of_scope",
            DenyReason::RoleMissing => "role_missing",
            DenyReason::SourceNotAllowed => "source_not_allowed",
            DenyReason::ScopeLifetimeExceeded => "scope_lifetime_exceeded",
            DenyReason::ScopeChanged => "scope_changed",
            DenyReason::BasisNotAllowed => "basis_not_allowed",
            DenyReason::ApprovalsMissing => "approvals_missing",
            DenyReason::StepUpRequired => "step_up_required",
            DenyReason::SenderMismatch => "sender_mismatch",
            DenyReason::Revoked => "revoked",
            DenyReason::RevocationUnknown => "revocation_unknown",
            DenyReason::ScopeWithdrawn => "scope_withdrawn",
            DenyReason::ConfiguredTwice => "configured_twice",
            DenyReason::RouteChanged => "route_changed",
            DenyReason::MaxStream => "max_stream",
            DenyReason::RedirectElsewhere => "redirect_elsewhere",
            DenyReason::InternalError => "internal_error",
        }
    }

    /// The HTTP status of the refusal.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            DenyReason::TokenMissing
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
            | DenyReason::TokenNotYetValid
            | DenyReason::TokenExpired
            | DenyReason::StepUpRequired
            | DenyReason::SenderMismatch
            | DenyReason::Revoked => 401,
            DenyReason::MethodOverride
            | DenyReason::ReservedHeader
            | DenyReason::SecondResource
            | DenyReason::AmbiguousPath => 400,
            DenyReason::Ceiling
            | DenyReason::OutOfScope
            | DenyReason::RoleMissing
            | DenyReason::SourceNotAllowed
            | DenyReason::ScopeLifetimeExceeded
            | DenyReason::ScopeChanged
            | DenyReason::BasisNotAllowed
            | DenyReason::ApprovalsMissing
            | DenyReason::ScopeWithdrawn
            // Not a 5xx: clients and proxies repeat those by themselves, and the call may have been carried out.
            | DenyReason::RouteChanged
            | DenyReason::MaxStream => 403,
            // What the upstream has answered cannot be passed on.
            DenyReason::RedirectElsewhere => 502,
            DenyReason::KeysUnavailable | DenyReason::RevocationUnknown => 503,
            // Not 503: to try again does not help.
            DenyReason::ConfiguredTwice | DenyReason::InternalError => 500,
        }
    }

    /// The response code details, as `%RESPONSE_CODE_DETAILS%` prints them.
    #[must_use]
    pub fn details(self) -> String {
        format!("breakglass_{}", self.code())
    }
}

/// Why a request with a token may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowReason {
    /// Everything was checked.
    Permit,
    /// The feed is not fresh, so the approval service was asked: the grant stands.
    PermitIntrospected,
    /// Nobody could say whether the grant still stands, and `on_unavailable` is `allow`.
    PermitUnverified,
}

impl AllowReason {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            AllowReason::Permit => "permit",
            AllowReason::PermitIntrospected => "permit_introspected",
            AllowReason::PermitUnverified => "permit_unverified",
        }
    }
}

/// Why something was decided: every reason code that a record or a counter can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A request with a token may pass.
    Allowed(AllowReason),
    /// A request is refused, or would be in shadow mode.
    Refused(DenyReason),
    /// There was no token, and none was needed.
    NoToken,
    /// The client went away while its request waited for an answer. No client ever sees it.
    ClientGone,
}

impl Reason {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Reason::Allowed(reason) => reason.code(),
            Reason::Refused(reason) => reason.code(),
            Reason::NoToken => "no_token",
            Reason::ClientGone => "client_gone",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::test;

    #[test]
    fn every_reason_is_listed_once_and_has_its_own_word() {
        let reasons: BTreeSet<_> = DenyReason::ALL.iter().collect();
        assert_eq!(reasons.len(), DenyReason::ALL.len());
        let allowed =
            [AllowReason::Permit, AllowReason::PermitIntrospected, AllowReason::PermitUnverified];
        let all: Vec<_> = DenyReason::ALL
            .map(Reason::Refused)
            .into_iter()
            .chain(allowed.map(Reason::Allowed))
            .chain([Reason::NoToken, Reason::ClientGone])
            .collect();
        let codes: BTreeSet<_> = all.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), all.len());
        for code in codes {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
        }
    }
}
