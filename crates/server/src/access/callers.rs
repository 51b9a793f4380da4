//! Which kind of caller may call which operation: one table, which the routes consult before they look at a
//! request, and [`Access`](super::Access) when it judges a person and what is asked for.

use crate::config::Serves;

/// A kind of caller. A person is of several kinds at once: a caller with an API token of a person is a
/// [`CallerKind::Person`], and with regard to one request or grant perhaps its requester, an approver and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// No credential, or any: it is not looked at.
    Anybody,
    /// A credential that the configuration does not list.
    UnknownCredential,
    /// A public client: a caller without a credential, whose request has what it may end (RFC 7009 section 2.1).
    Client,
    /// Every person of the configuration.
    Person,
    /// Who may ask for these scopes; afterwards who asked, and holds the grant.
    Requester,
    /// Who may approve: all scopes, to say yes; one of them is enough to say no, to end or to see it.
    Approver,
    /// A member of a group that `responders` names for the audience.
    Responder,
    /// A member of a group of `auditors`.
    Auditor,
    /// A member of a group of `administrators`.
    Administrator,
    /// A proxy of the configuration.
    Proxy,
}

/// The kinds that a person can be of.
const OF_PEOPLE: [CallerKind; 6] = [
    CallerKind::Person,
    CallerKind::Requester,
    CallerKind::Approver,
    CallerKind::Responder,
    CallerKind::Auditor,
    CallerKind::Administrator,
];

/// Makes [`Verb`] of the table.
macro_rules! verbs {
    ($( $(#[$doc:meta])* $verb:ident = $operation:literal: [$($kind:ident),+]; )+) => {
        /// What a caller wants to do: one for each operation of the interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Verb {
            $( $(#[$doc])* $verb, )+
        }

        impl Verb {
            /// Every verb, in the order of the table.
            pub const ALL: &[Verb] = &[$(Verb::$verb),+];

            /// The `operationId` in the description of the interface.
            #[must_use]
            pub const fn operation(self) -> &'static str {
                match self { $(Verb::$verb => $operation),+ }
            }

            /// The kinds of callers that the table names for it.
            #[must_use]
            pub const fn callers(self) -> &'static [CallerKind] {
                match self { $(Verb::$verb => &[$(CallerKind::$kind),+]),+ }
            }
        }
    };
}

verbs! {
    /// List the requests that the caller may see.
    List = "list": [Person];
    /// Ask for access.
    Submit = "submit": [Requester];
    /// Hear what happens to the requests that the caller may see.
    Watch = "watch": [Person];
    /// See a request.
    Show = "show": [Requester, Approver, Responder, Auditor];
    /// Say yes to a request.
    Approve = "approve": [Approver];
    /// Ask the requester of a request something.
    Question = "question": [Approver, Responder];
    /// Answer about one's own request.
    Answer = "answer": [Requester];
    /// Say no to a request.
    Deny = "deny": [Approver, Responder];
    /// Take a request back.
    Cancel = "cancel": [Requester];
    /// Get the token of a grant.
    Issue = "issue": [Requester];
    /// List the scopes that the caller may ask for or approve.
    Scopes = "scopes": [Person];
    /// See what the grants of a scope were used for.
    ScopeUses = "scopeUses": [Auditor];
    /// End a grant.
    Revoke = "revoke": [Requester, Approver, Responder];
    /// See what a grant was used for.
    GrantUses = "grantUses": [Requester, Approver, Responder, Auditor];
    /// End the grant of a token, or the session.
    RevokeToken = "revokeToken": [Client, Requester, Approver, Responder];
    /// End every grant that matches.
    RevokeMany = "revokeMany": [Requester, Approver, Responder];
    /// Read the feed of revocations.
    Feed = "feed": [Proxy];
    /// Ask whether a token's grant holds.
    Introspect = "introspect": [Proxy];
    /// See which proxies read the feed.
    Proxies = "proxies": [Person];
    /// Say that a silent proxy is gone.
    ForgetProxy = "forgetProxy": [Approver];
    /// Say what a configuration of a proxy defines.
    ReportConfiguration = "reportConfiguration": [Proxy];
    /// Get a challenge for entrances.
    Probe = "probe": [Auditor];
    /// Hear what answers to a challenge prove.
    ProbeAnswers = "probeAnswers": [Auditor];
    /// Read the heads of audit chains.
    Heads = "heads": [Auditor];
    /// Report the heads of audit chains.
    ReportHeads = "reportHeads": [Proxy];
    /// Read requests with their trail.
    Evidence = "evidence": [Auditor];
    /// Read what was done to the service itself.
    ServiceTrail = "serviceTrail": [Auditor];
    /// Read what happened.
    Events = "events": [Auditor];
    /// Read what known callers were refused.
    Attempts = "attempts": [Auditor];
    /// Report what calls for attention.
    ReportAlerts = "reportAlerts": [Proxy];
    /// Read what proxies reported.
    Alerts = "alerts": [Auditor];
    /// Sign in.
    Authorize = "authorize": [Anybody];
    /// Come back from an identity provider.
    SignInCallback = "signInCallback": [Anybody];
    /// Get the tokens of a session for a code or a refresh token.
    Exchange = "exchange": [Anybody];
    /// Get the codes by which a person signs in for a device.
    AuthorizeDevice = "authorizeDevice": [Anybody];
    /// See the page on which the code of a device is typed.
    DevicePage = "devicePage": [Anybody];
    /// Type the code of a device, and sign in for it or refuse it.
    ConfirmDevice = "confirmDevice": [Anybody];
    /// See where the link of a message leads.
    RequestPage = "requestPage": [Anybody];
    /// Ask where people sign in.
    AuthorizationServer = "authorizationServer": [Anybody];
    /// Go to an identity provider's page for signing out.
    SignOut = "signOut": [Anybody];
    /// Ask who the caller is.
    WhoAmI = "whoAmI": [Person];
    /// Say how one wants to be told of what happens.
    Notify = "notify": [Person];
    /// List sessions: one's own, or those of all people.
    Sessions = "sessions": [Person];
    /// End a session.
    EndSession = "endSession": [Person];
    /// List the ends of grants that are held.
    HeldEnds = "heldEnds": [Administrator];
    /// Let grants end that are held.
    ConfirmHeldEnds = "confirmHeldEnds": [Administrator];
    /// See what the sinks were told of events.
    Deliveries = "deliveries": [Auditor, Administrator];
    /// Deliver an event to the sinks again.
    Replay = "replay": [Administrator];
    /// List the rotations that the caller may see.
    Rotations = "rotations": [Person];
    /// Say that what a grant touched was rotated by hand.
    RotationDone = "rotationDone": [Approver];
    /// Have the hook of a rotation called again.
    RetryRotation = "retryRotation": [Approver];
    /// List the reviews that the caller may see.
    Reviews = "reviews": [Person];
    /// See a review with all that is shown of its grant.
    Review = "review": [Requester, Approver, Responder, Auditor, Administrator];
    /// Say that a used grant is in order.
    SignReview = "signReview": [Approver];
    /// Say that it is not.
    DisputeReview = "disputeReview": [Approver];
    /// Get the keys that prove tokens.
    Jwks = "jwks": [Anybody];
    /// Ask whether the process answers; an auditor learns more.
    Alive = "alive": [Anybody, Auditor];
    /// Ask whether the service can do its work.
    Ready = "ready": [Anybody];
    /// Get the counters.
    Metrics = "metrics": [Anybody];
    /// Get the description of the interface.
    Openapi = "openapi": [Anybody];
}

impl CallerKind {
    fn is_of_people(self) -> bool {
        OF_PEOPLE.contains(&self)
    }
}

impl Verb {
    /// Whether the table lets a caller of this kind do it: where it names the kind, or one that includes it.
    #[must_use]
    pub fn admits(self, kind: CallerKind) -> bool {
        let named = |kind| self.callers().contains(&kind);
        named(kind)
            || named(CallerKind::Anybody)
            || (kind.is_of_people() && named(CallerKind::Person))
    }

    /// Whether no credential is looked at before it is done.
    #[must_use]
    pub fn is_for_anybody(self) -> bool {
        self.admits(CallerKind::Anybody)
    }

    /// Whether a listener that serves these callers has it. Health and keys are everywhere.
    #[must_use]
    pub fn is_served_by(self, serves: Serves) -> bool {
        match self {
            Verb::Alive | Verb::Ready | Verb::Jwks => true,
            Verb::Metrics => serves.metrics,
            Verb::Openapi
            | Verb::Authorize
            | Verb::SignInCallback
            | Verb::Exchange
            | Verb::AuthorizeDevice
            | Verb::DevicePage
            | Verb::ConfirmDevice
            | Verb::RequestPage
            | Verb::AuthorizationServer => serves.people,
            verb => {
                (serves.people && verb.is_for_people())
                    || (serves.proxies && verb.admits(CallerKind::Proxy))
            }
        }
    }

    /// Whether a person of some kind may do it.
    #[must_use]
    pub fn is_for_people(self) -> bool {
        OF_PEOPLE.into_iter().any(|kind| self.admits(kind))
    }

    /// Whether of all people only auditors may do it: that can be told before the request is read.
    #[must_use]
    pub fn is_for_auditors_alone(self) -> bool {
        let of_people = OF_PEOPLE.into_iter().filter(|kind| self.admits(*kind));
        of_people.eq([CallerKind::Auditor])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_one_verb() {
        let mut operations: Vec<&str> = Verb::ALL.iter().map(|verb| verb.operation()).collect();
        operations.sort_unstable();
        let count = operations.len();
        operations.dedup();
        assert_eq!(operations.len(), count);
    }

    #[test]
    fn an_unknown_credential_is_good_for_what_anybody_may_do() {
        for verb in Verb::ALL {
            let admitted = verb.admits(CallerKind::UnknownCredential);
            assert_eq!(admitted, verb.is_for_anybody(), "{verb:?}");
        }
    }

    #[test]
    fn no_operation_is_for_proxies_and_people() {
        for verb in Verb::ALL.iter().filter(|verb| !verb.is_for_anybody()) {
            assert_ne!(verb.admits(CallerKind::Proxy), verb.is_for_people(), "{verb:?}");
        }
    }

    #[test]
    fn what_is_for_auditors_alone_is_for_no_other_person() {
        let alone: Vec<Verb> =
            Verb::ALL.iter().copied().filter(|verb| verb.is_for_auditors_alone()).collect();
        assert!(alone.contains(&Verb::Heads) && !alone.contains(&Verb::Show), "{alone:?}");
        for verb in alone {
            for kind in OF_PEOPLE {
                assert_eq!(verb.admits(kind), kind == CallerKind::Auditor, "{verb:?} {kind:?}");
            }
        }
    }
}
