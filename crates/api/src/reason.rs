//! Why the answer is no: the words of [`Problem`](crate::problem::Problem)s, with their status and title. Stable.

use crate::words::words;

words! {
    /// Why the answer is no: one word each, stable.
    Reason {
        /// The review is signed or disputed already.
        AlreadyReviewed = "already_reviewed",
        /// The person has approved it before.
        ApprovedAlready = "approved_already",
        /// The trail does not prove that the grant was approved.
        ApprovalUnproven = "approval_unproven",
        /// The scopes are for different environments.
        AudiencesDiffer = "audiences_differ",
        /// The body is larger than any valid one.
        BodyTooLarge = "body_too_large",
        /// The clock was set, and no operator has said that the new time is right.
        ClockStepped = "clock_stepped",
        /// The clock says nothing that could be a time.
        ClockUnknown = "clock_unknown",
        /// Another credential than the one that submitted the request.
        CredentialChanged = "credential_changed",
        /// No API token came.
        CredentialMissing = "credential_missing",
        /// No caller has this API token.
        CredentialUnknown = "credential_unknown",
        /// No sink was told of such an event.
        DeliveryUnknown = "delivery_unknown",
        /// An approval that does not say what was shown.
        DigestRequired = "digest_required",
        /// Longer than a scope allows.
        DurationTooLong = "duration_too_long",
        /// The event after which to read on is not there: a database was put back that does not have it.
        EventUnknown = "event_unknown",
        /// The credential has put into the evidence database what it may.
        EvidenceQuota = "evidence_quota",
        /// The evidence database is not open.
        EvidenceUnavailable = "evidence_unavailable",
        /// The grant has ended.
        GrantExpired = "grant_expired",
        /// The grant's first token was not taken in time.
        GrantLapsed = "grant_lapsed",
        /// The grant was approved at a time that has not come: a clock was wrong.
        GrantNotBegun = "grant_not_begun",
        /// The grant was revoked.
        GrantRevoked = "grant_revoked",
        /// There is no such grant.
        GrantUnknown = "grant_unknown",
        /// The key of a repeated submission stands for another one.
        IdempotencyKeyReused = "idempotency_key_reused",
        /// The incident is closed.
        IncidentClosed = "incident_closed",
        /// The incident is another person's or team's.
        IncidentNotYours = "incident_not_yours",
        /// A scope needs an incident, and none is named.
        IncidentRequired = "incident_required",
        /// The system that keeps incidents does not say whether the incident is open.
        IncidentSilent = "incident_silent",
        /// There is no such incident.
        IncidentUnknown = "incident_unknown",
        /// The person has to sign in again, at the level and as recently as the challenge says (RFC 9470).
        InsufficientUserAuthentication = "insufficient_user_authentication",
        /// The service failed.
        InternalError = "internal_error",
        /// A field is missing, of another type, or out of bounds.
        InvalidRequest = "invalid_request",
        /// It is not known now who is in a group that decides it.
        MembershipUnknown = "membership_unknown",
        /// There is an endpoint, but not for this method.
        MethodNotAllowed = "method_not_allowed",
        /// No other person may approve it.
        NoApprover = "no_approver",
        /// The configuration has changed since the request was submitted.
        NoLongerAllowed = "no_longer_allowed",
        /// Not one who may ask for it.
        NotARequester = "not_a_requester",
        /// Not one who may end the sessions of other people.
        NotAnAdministrator = "not_an_administrator",
        /// Not one who may approve it.
        NotAnApprover = "not_an_approver",
        /// Not one who may audit.
        NotAnAuditor = "not_an_auditor",
        /// It was not approved.
        NotApproved = "not_approved",
        /// There is no such endpoint.
        NotFound = "not_found",
        /// Neither the requester, nor an approver or a responder of it, nor an auditor.
        NotInvolved = "not_involved",
        /// No rule of the request waits for an approval by a group of this person.
        NotNeeded = "not_needed",
        /// It was decided already, or lapsed.
        NotPending = "not_pending",
        /// The service cannot do its work now.
        NotReady = "not_ready",
        /// Only the requester may.
        NotTheRequester = "not_the_requester",
        /// A rule of the request asks others first.
        NotYourTurn = "not_your_turn",
        /// A proxy's credential where a person's is needed.
        PeopleOnly = "people_only",
        /// There is no such challenge, or it is over.
        ProbeUnknown = "probe_unknown",
        /// A person's credential where a proxy's is needed.
        ProxiesOnly = "proxies_only",
        /// The proxy is not gone.
        ProxyAlive = "proxy_alive",
        /// There is no such proxy.
        ProxyUnknown = "proxy_unknown",
        /// An approval of something else than the request is.
        RequestChanged = "request_changed",
        /// There is no such request.
        RequestUnknown = "request_unknown",
        /// A review of something else than the review is.
        ReviewChanged = "review_changed",
        /// The grant under review has not ended.
        ReviewNotOwed = "review_not_owed",
        /// There is no such review.
        ReviewUnknown = "review_unknown",
        /// The rotation was done already, or its grant has not ended.
        RotationNotOwed = "rotation_not_owed",
        /// There is no such rotation.
        RotationUnknown = "rotation_unknown",
        /// There is no such scope.
        ScopeUnknown = "scope_unknown",
        /// It is the approver's own request.
        SelfApproval = "self_approval",
        /// The session has ended, or its access token is over.
        SessionEnded = "session_ended",
        /// There is no such session.
        SessionUnknown = "session_unknown",
        /// No identity provider is configured.
        SignInNotConfigured = "sign_in_not_configured",
        /// The person signed in at the identity provider, and is not let in here.
        SignInRefused = "sign_in_refused",
        /// The database is locked, or all connections to it are in use.
        StorageBusy = "storage_busy",
        /// The database's file system is full.
        StorageFull = "storage_full",
        /// A file of the database could not be read, written or opened.
        StorageIoError = "storage_io_error",
        /// Little space is left on the database's file system: it is kept for revocations.
        StorageLow = "storage_low",
        /// The database got no memory.
        StorageOutOfMemory = "storage_out_of_memory",
        /// The database's file cannot be written.
        StorageReadOnly = "storage_read_only",
        /// It took too long.
        Timeout = "timeout",
        /// The person held the grant under review, or approved it.
        TookPart = "took_part",
        /// The token would be larger than filters accept.
        TokenTooLarge = "token_too_large",
        /// The credential has reported as many configurations as it may in a minute.
        TooManyConfigurations = "too_many_configurations",
        /// There is no place for another connection, or for another request of a proxy.
        TooManyConnections = "too_many_connections",
        /// As many incidents were checked for the person as may be in a minute.
        TooManyIncidentChecks = "too_many_incident_checks",
        /// As many requests wait for a decision as a person may have.
        TooManyPending = "too_many_pending",
        /// As many challenges live as may.
        TooManyProbes = "too_many_probes",
        /// As many questions and answers about the request as may be.
        TooManyRemarks = "too_many_remarks",
        /// The person waits in too many places.
        TooManyWaits = "too_many_waits",
        /// The body is of another type.
        UnsupportedMediaType = "unsupported_media_type",
    }
}

impl Reason {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Reason::AudiencesDiffer
            | Reason::DurationTooLong
            | Reason::IncidentRequired
            | Reason::InvalidRequest
            | Reason::ScopeUnknown
            | Reason::TokenTooLarge => 400,
            Reason::CredentialMissing
            | Reason::CredentialUnknown
            | Reason::InsufficientUserAuthentication
            | Reason::SessionEnded => 401,
            Reason::CredentialChanged
            | Reason::IncidentClosed
            | Reason::IncidentNotYours
            | Reason::IncidentUnknown
            | Reason::NoApprover
            | Reason::NoLongerAllowed
            | Reason::NotARequester
            | Reason::NotAnAdministrator
            | Reason::NotAnApprover
            | Reason::NotAnAuditor
            | Reason::NotInvolved
            | Reason::NotTheRequester
            | Reason::PeopleOnly
            | Reason::ProxiesOnly
            | Reason::SelfApproval
            | Reason::SignInRefused
            | Reason::TookPart => 403,
            Reason::DeliveryUnknown
            | Reason::GrantUnknown
            | Reason::NotFound
            | Reason::ProbeUnknown
            | Reason::ProxyUnknown
            | Reason::RequestUnknown
            | Reason::ReviewUnknown
            | Reason::RotationUnknown
            | Reason::SessionUnknown
            | Reason::SignInNotConfigured => 404,
            Reason::MethodNotAllowed => 405,
            Reason::AlreadyReviewed
            | Reason::ApprovalUnproven
            | Reason::ApprovedAlready
            | Reason::DigestRequired
            | Reason::EventUnknown
            | Reason::GrantExpired
            | Reason::GrantLapsed
            | Reason::GrantNotBegun
            | Reason::GrantRevoked
            | Reason::NotApproved
            | Reason::NotNeeded
            | Reason::NotPending
            | Reason::NotYourTurn
            | Reason::ProxyAlive
            | Reason::RequestChanged
            | Reason::ReviewChanged
            | Reason::ReviewNotOwed
            | Reason::RotationNotOwed => 409,
            Reason::BodyTooLarge => 413,
            Reason::UnsupportedMediaType => 415,
            Reason::IdempotencyKeyReused => 422,
            Reason::EvidenceQuota
            | Reason::TooManyConfigurations
            | Reason::TooManyIncidentChecks
            | Reason::TooManyPending
            | Reason::TooManyProbes
            | Reason::TooManyRemarks
            | Reason::TooManyWaits => 429,
            Reason::InternalError => 500,
            Reason::ClockStepped
            | Reason::ClockUnknown
            | Reason::EvidenceUnavailable
            | Reason::IncidentSilent
            | Reason::MembershipUnknown
            | Reason::NotReady
            | Reason::StorageBusy
            | Reason::StorageFull
            | Reason::StorageIoError
            | Reason::StorageLow
            | Reason::StorageOutOfMemory
            | Reason::StorageReadOnly
            | Reason::Timeout
            | Reason::TooManyConnections => 503,
        }
    }

    /// In words, without what to do.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Reason::AlreadyReviewed => "Reviewed already",
            Reason::ApprovalUnproven => "The approval is not proven",
            Reason::ApprovedAlready => "Approved already",
            Reason::AudiencesDiffer => "One environment per request",
            Reason::BodyTooLarge => "Body too large",
            Reason::ClockStepped => "Clock stepped",
            Reason::ClockUnknown => "Clock unknown",
            Reason::CredentialChanged => "Credential changed",
            Reason::CredentialMissing => "Credential missing",
            Reason::CredentialUnknown => "Credential unknown",
            Reason::DeliveryUnknown => "Unknown delivery",
            Reason::DigestRequired => "The approval does not say of what",
            Reason::DurationTooLong => "Duration too long",
            Reason::EventUnknown => "Unknown event",
            Reason::EvidenceQuota => "Too much evidence of one credential",
            Reason::EvidenceUnavailable => "No evidence is taken now",
            Reason::GrantExpired => "The grant has ended",
            Reason::GrantLapsed => "The grant was not activated in time",
            Reason::GrantNotBegun => "The grant has not begun",
            Reason::GrantRevoked => "The grant was revoked",
            Reason::GrantUnknown => "Unknown grant",
            Reason::IdempotencyKeyReused => "Idempotency key reused",
            Reason::IncidentClosed => "The incident is closed",
            Reason::IncidentNotYours => "Not your incident",
            Reason::IncidentRequired => "An incident is needed",
            Reason::IncidentSilent => "The incident is not known to be open",
            Reason::IncidentUnknown => "Unknown incident",
            Reason::InsufficientUserAuthentication => "Another sign-in is needed",
            Reason::InternalError => "The service failed",
            Reason::InvalidRequest => "Invalid request",
            Reason::MembershipUnknown => "Membership unknown",
            Reason::MethodNotAllowed => "Method not allowed",
            Reason::NoApprover => "Nobody could approve this",
            Reason::NoLongerAllowed => "No longer allowed",
            Reason::NotARequester => "Not a requester",
            Reason::NotAnAdministrator => "Not an administrator",
            Reason::NotAnApprover => "Not an approver",
            Reason::NotAnAuditor => "Not an auditor",
            Reason::NotApproved => "Not approved",
            Reason::NotFound => "Not found",
            Reason::NotInvolved => "Not involved",
            Reason::NotNeeded => "Not needed",
            Reason::NotPending => "Not pending",
            Reason::NotReady => "Not ready",
            Reason::NotTheRequester => "Not the requester",
            Reason::NotYourTurn => "Others are asked first",
            Reason::PeopleOnly => "People only",
            Reason::ProbeUnknown => "Unknown challenge",
            Reason::ProxiesOnly => "Proxies only",
            Reason::ProxyAlive => "The proxy is alive",
            Reason::ProxyUnknown => "Unknown proxy",
            Reason::RequestChanged => "Not what was shown",
            Reason::RequestUnknown => "Unknown request",
            Reason::ReviewChanged => "Not what was shown",
            Reason::ReviewNotOwed => "The review is not owed",
            Reason::ReviewUnknown => "Unknown review",
            Reason::RotationNotOwed => "The rotation is not owed",
            Reason::RotationUnknown => "Unknown rotation",
            Reason::ScopeUnknown => "Unknown scope",
            Reason::SelfApproval => "Nobody approves their own request",
            Reason::SessionEnded => "The session has ended",
            Reason::SessionUnknown => "Unknown session",
            Reason::SignInNotConfigured => "No identity provider",
            Reason::SignInRefused => "Sign-in refused",
            Reason::StorageBusy => "The database is busy",
            Reason::StorageFull => "The disk is full",
            Reason::StorageIoError => "The storage failed",
            Reason::StorageLow => "Little space is left",
            Reason::StorageOutOfMemory => "Out of memory",
            Reason::StorageReadOnly => "The database is read-only",
            Reason::Timeout => "Timeout",
            Reason::TookPart => "Not by a person who took part",
            Reason::TokenTooLarge => "The token would be too large",
            Reason::TooManyConfigurations => "Too many configurations of one credential",
            Reason::TooManyConnections => "Too many connections",
            Reason::TooManyIncidentChecks => "Too many incidents checked",
            Reason::TooManyPending => "Too many pending requests",
            Reason::TooManyProbes => "Too many challenges",
            Reason::TooManyRemarks => "Too much is said about this",
            Reason::TooManyWaits => "Too many waits",
            Reason::UnsupportedMediaType => "Unsupported media type",
        }
    }

    /// After how many seconds a client may try again, where waiting is all that it can do.
    #[must_use]
    pub const fn retry_after_s(self) -> Option<u32> {
        match self {
            // A lock is held for moments.
            Reason::StorageBusy => Some(1),
            Reason::NotReady
            | Reason::EvidenceUnavailable
            | Reason::IncidentSilent
            | Reason::MembershipUnknown
            | Reason::TooManyConnections
            | Reason::TooManyWaits
            | Reason::StorageFull
            | Reason::StorageIoError
            | Reason::StorageOutOfMemory
            | Reason::StorageReadOnly => Some(5),
            // There has to be room, or the clock has to be set.
            Reason::EvidenceQuota
            | Reason::TooManyConfigurations
            | Reason::TooManyIncidentChecks
            | Reason::TooManyProbes
            | Reason::StorageLow
            | Reason::ClockStepped
            | Reason::ClockUnknown => Some(30),
            _ => None,
        }
    }
}
