//! Every endpoint, in the order of the document. Whether all of them are served, and no other, a test of the service says.

use breakglass_types::configurations::{ReportedConfiguration, WANTED_HEADER};
use serde_json::{Value, json};

use super::operation::Caller::{Person, PersonIfAuthenticated, Proxy, Unauthenticated};
use super::operation::{Caller, Operation};
use crate::{
    alerts, attempts, deliveries, directory, events, evidence, feed, heads, health, introspection,
    jwks, probe, proxies, request, review_in_full, reviews, revocation, rotations, scopes, session,
    token, trail, uses, watch, whoami,
};

/// All of them.
pub(super) fn all() -> Vec<Operation> {
    [
        requests(),
        revocations(),
        proxies_and_probes(),
        audit(),
        tokens(),
        sessions(),
        of_rotations(),
        of_reviews(),
        service(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn get(path: &'static str, id: &'static str, caller: Caller, summary: &'static str) -> Operation {
    Operation::new("get", path, id, caller, summary)
}

fn post(path: &'static str, id: &'static str, caller: Caller, summary: &'static str) -> Operation {
    Operation::new("post", path, id, caller, summary)
}

/// Asking for access, and deciding about it.
fn requests() -> Vec<Operation> {
    vec![
        get(
            "/v1/requests",
            "list",
            Person,
            "The requests that the caller may see (auditors: all), newest first.",
        )
        .with::<request::ListQuery>()
        .answers::<request::Requests>(),
        post(
            "/v1/requests",
            "submit",
            Person,
            "Ask for access. At most max_pending_requests (10) of a person wait at a time: 429.",
        )
        .with_parameter(idempotency_key())
        .asks::<request::Ask>()
        .creates()
        .headers(submitted_headers())
        .answers::<request::Request>(),
        get(
            "/v1/events",
            "watch",
            Person,
            "What happens from now on to the requests that the caller may see (auditors: all that happens), as server-sent \
             events; `data` of each is a WatchedEvent. The stream ends after less than two minutes: the reader comes back \
             with the `id` that it read last.",
        )
        .with_parameter(last_event_id())
        .with::<watch::WatchQuery>()
        .streams::<watch::WatchedEvent>(),
        get(
            "/v1/requests/{id}",
            "show",
            Person,
            "A request, at once or when it is no longer pending.",
        )
        .with::<request::ShowQuery>()
        .answers::<request::Request>(),
        post(
            "/v1/requests/{id}/approve",
            "approve",
            Person,
            "Say yes to the request as it was shown: another person, who may approve every scope. 409 with the request where \
             the digest is missing or another one.",
        )
        .asks::<request::Approve>()
        .answers::<request::Request>(),
        post(
            "/v1/requests/{id}/question",
            "question",
            Person,
            "Ask the requester of a pending request something: who may deny it.",
        )
        .asks::<request::Say>()
        .answers::<request::Request>(),
        post(
            "/v1/requests/{id}/answer",
            "answer",
            Person,
            "Answer about a pending request: its requester.",
        )
        .asks::<request::Say>()
        .answers::<request::Request>(),
        post(
            "/v1/requests/{id}/deny",
            "deny",
            Person,
            "Say no: an approver of one of the scopes, or a responder of the environment.",
        )
        .asks::<request::Why>()
        .answers::<request::Request>(),
        post(
            "/v1/requests/{id}/cancel",
            "cancel",
            Person,
            "Take back a pending request: its requester.",
        )
        .answers::<request::Request>(),
        post(
            "/v1/requests/{id}/token",
            "issue",
            Person,
            "A token of the approved grant, for its requester with the credential that submitted the request; always \
             the same jti and end.",
        )
        .answers::<token::Issued>(),
        get(
            "/v1/scopes",
            "scopes",
            Person,
            "What the caller may ask for, and what the caller may approve. An auditor sees every scope.",
        )
        .with::<scopes::ScopesQuery>()
        .answers::<scopes::Scopes>(),
        get(
            "/v1/scopes/uses",
            "scopeUses",
            Person,
            "What the grants of a scope were used for, as the proxies counted it: for auditors, who compare it with what the \
             scope opens.",
        )
        .with::<uses::ScopeUsesQuery>()
        .answers::<uses::ScopeUses>(),
    ]
}

/// Ending grants, and hearing that they have ended.
fn revocations() -> Vec<Operation> {
    vec![
        post(
            "/v1/grants/{jti}/revoke",
            "revoke",
            Person,
            "End a grant: its holder, an approver of one of its scopes, or a responder of its environment. A second time tells of the first.",
        )
        .asks::<request::Why>()
        .answers::<revocation::Revoked>(),
        get(
            "/v1/grants/{jti}/uses",
            "grantUses",
            Person,
            "What a grant was used for, as the proxies counted it, for those who may see its request.",
        )
        .answers::<uses::UsesOfGrant>(),
        get(
            "/v1/revocations",
            "feed",
            Proxy,
            "The feed of revocations: what came after an epoch, at once or when there is something.",
        )
        .with::<feed::FeedQuery>()
        .with::<feed::ProxyHeaders>()
        .headers(wanted_header())
        .answers::<feed::Feed>(),
        post(
            "/v1/revocations",
            "revokeMany",
            Person,
            "The kill switch: revoke every grant that matches, in steps. A refusal half way says how many were revoked, and \
             the same body again does the rest. Pending requests are not touched.",
        )
        .asks::<revocation::Kill>()
        .answers::<revocation::Killed>(),
    ]
}

/// Which proxies there are, and whether entrances are guarded.
fn proxies_and_probes() -> Vec<Operation> {
    vec![
        get(
            "/v1/proxies",
            "proxies",
            Person,
            "Who reads the feed, and how far each has read.",
        )
        .answers::<proxies::Proxies>(),
        post(
            "/v1/proxies/{id}/forget",
            "forgetProxy",
            Person,
            "Say that a silent proxy is gone: no receipt counts it any more. For those who may approve every scope \
             of every grant that is not over, the revoked ones and their own among them. 409 while it is alive.",
        )
        .of("The `id` of the proxy.")
        .asks::<request::Why>()
        .answers::<proxies::Forgotten>(),
        post(
            "/v1/proxies/configurations",
            "reportConfiguration",
            Proxy,
            "A proxy says what its configuration defines, where the answer to its poll asked for it by \
             `breakglass-configuration-wanted`. It counts for the proxies with this credential alone; at most 256 KiB.",
        )
        .asks::<ReportedConfiguration>()
        .answers::<proxies::ConfigurationTaken>(),
        post(
            "/v1/probes",
            "probe",
            Person,
            "A challenge for entrances, such as those of `breakglass probe`: a JWT that only a proxy with the filter \
             answers. It opens nothing, and lives for 60 s. For auditors.",
        )
        .asks::<probe::ProbeAsk>()
        .creates()
        .answers::<probe::Challenge>(),
        post(
            "/v1/probes/{id}/answers",
            "probeAnswers",
            Person,
            "What entrances have answered to a challenge, and what that proves. For the auditor who has asked for \
             it, until it is over. Takes up to 2 s, where a proxy's report is waited for.",
        )
        .of("The `id` of the challenge.")
        .asks::<probe::ProbeAnswers>()
        .answers::<probe::ProbeVerdicts>(),
    ]
}

/// What auditors read, and what proxies report for them.
fn audit() -> Vec<Operation> {
    vec![
        get(
            "/v1/audit/heads",
            "heads",
            Person,
            "What proxies said of their audit chains, in the order of arrival. For auditors. A page has at most 1000 \
             heads and about 4 MiB.",
        )
        .with::<heads::HeadsQuery>()
        .answers_page::<heads::Heads, heads::Head>("Heads"),
        post(
            "/v1/audit/heads",
            "reportHeads",
            Proxy,
            "A proxy says how far its audit chains are. What contradicts an earlier report is kept beside it. A \
             report has at most 1 MiB, 1000 heads and 50000 grants; a head with more grants is sent several times, \
             each time with others. 429 `evidence_quota`: this credential has had its share.",
        )
        .asks::<heads::HeadReport>()
        .answers::<heads::HeadsReported>(),
        get(
            "/v1/audit/requests",
            "evidence",
            Person,
            "Requests with their trail, the oldest first. For auditors. Exactly one of grant, incident, subject.",
        )
        .with::<evidence::EvidenceQuery>()
        .answers::<evidence::Evidence>(),
        get(
            "/v1/audit/service",
            "serviceTrail",
            Person,
            "What was done to the service itself, the oldest first. For auditors.",
        )
        .with::<trail::AfterQuery>()
        .answers::<trail::ServiceTrail>(),
        get(
            "/v1/audit/events",
            "events",
            Person,
            "What happened, once each, in the order of commits, after a place, at once or when there is something. For \
             auditors.",
        )
        .with::<events::EventsQuery>()
        .answers::<events::Events>(),
        get(
            "/v1/audit/attempts",
            "attempts",
            Person,
            "What known callers were refused and what auditors read under `/v1/audit/`, the oldest first. For \
             auditors. A caller gets 20 rows a minute for what it was refused, and 60 for what it read; one row with \
             outcome `rest` counts what came beyond.",
        )
        .with::<trail::AfterQuery>()
        .answers::<attempts::Attempts>(),
        post(
            "/v1/alerts",
            "reportAlerts",
            Proxy,
            "A proxy says what calls for attention. At most 64 alerts and 64 KiB; texts have at most 256 bytes, a path 1024. The \
             same kind and grant within a minute is counted as one alert; 100 an hour of one credential and kind are kept, and \
             the others counted. 429 `evidence_quota`: this credential has had its share.",
        )
        .asks::<alerts::AlertReport>()
        .answers::<alerts::AlertsReported>(),
        get(
            "/v1/audit/alerts",
            "alerts",
            Person,
            "What proxies reported, in the order of arrival: each is the word of the proxy in `reported_by`. For auditors.",
        )
        .with::<alerts::AlertsQuery>()
        .answers::<alerts::Alerts>(),
    ]
}

/// Tokens, and the keys that prove them.
fn tokens() -> Vec<Operation> {
    vec![
        post(
            "/oauth2/introspect",
            "introspect",
            Proxy,
            "Whether a token's grant holds (RFC 7662). A token of an audience that is not the proxy's is inactive.",
        )
        .with::<feed::ProcessHeader>()
        .asks_form::<token::TokenForm>()
        .answers::<introspection::Introspection>(),
        post(
            "/oauth2/revoke",
            "revokeToken",
            PersonIfAuthenticated,
            "End the grant of a break-glass token, or the session of an access token or a refresh token (RFC 7009). To end a \
             session takes its token and `client_id`, and no credential.",
        )
        .asks_form::<token::RevocationForm>(),
        get(
            "/.well-known/jwks.json",
            "jwks",
            Unauthenticated,
            "The keys that prove tokens (RFC 7517). An audience with keys of its own has a set of its own.",
        )
        .with::<jwks::JwksQuery>()
        .answers::<jwks::Jwks>(),
    ]
}

/// Signing in, and sessions.
fn sessions() -> Vec<Operation> {
    vec![
        get(
            "/oauth2/authorize",
            "authorize",
            Unauthenticated,
            "Sign in (RFC 6749, RFC 7636): sends the browser to an identity provider, or lets the person choose one. 404 \
             without identity providers.",
        )
        .with::<session::AuthorizeQuery>()
        .answers_text(),
        get(
            "/signin/{provider}/callback",
            "signInCallback",
            Unauthenticated,
            "Where an identity provider sends the browser back to: sends it on to the client, with a code or an error.",
        )
        .of("The name of the identity provider.")
        .answers_text(),
        get(
            "/signin/{provider}/logout",
            "signOut",
            Unauthenticated,
            "Sends the browser to the page on which a person signs out of an identity provider; it ends no session here. A \
             page with 404 where the provider has no such page.",
        )
        .of("The name of the identity provider.")
        .answers_text(),
        post(
            "/oauth2/token",
            "exchange",
            Unauthenticated,
            "A code, a device code or a refresh token, for the tokens of a session. Errors are those of RFC 6749 section \
             5.2 and RFC 8628 section 3.5.",
        )
        .asks_form::<session::TokenRequest>()
        .answers::<session::SessionTokens>(),
        post(
            "/oauth2/device_authorization",
            "authorizeDevice",
            Unauthenticated,
            "The codes by which a person signs in for a device without a browser (RFC 8628). 429 where one address asked \
             for too many.",
        )
        .asks_form::<session::DeviceAuthorizationRequest>()
        .answers::<session::DeviceAuthorization>(),
        get(
            "/device",
            "devicePage",
            Unauthenticated,
            "The page on which a person types the code of a device.",
        )
        .answers_text(),
        post(
            "/device",
            "confirmDevice",
            Unauthenticated,
            "What that page sends: the code, and then whether the person goes on to sign in.",
        )
        .asks_form::<session::DeviceForm>()
        .answers_text(),
        get(
            "/requests/{id}",
            "requestPage",
            Unauthenticated,
            "Where the link of a message leads: a page that names the commands with which the request is read and answered. It \
             is the same for every id, and shows nothing of the request.",
        )
        .answers_text(),
        get(
            "/.well-known/oauth-authorization-server",
            "authorizationServer",
            Unauthenticated,
            "The service as an authorization server (RFC 8414).",
        )
        .answers::<session::AuthorizationServer>(),
        get(
            "/v1/whoami",
            "whoAmI",
            Person,
            "The caller: name, groups, session, and how the person signed in.",
        )
        .answers::<whoami::WhoAmI>(),
        Operation::new(
            "put",
            "/v1/whoami/notify",
            "notify",
            Person,
            "Say whether the caller wants mail of requests that wait for them, and of what becomes of their own.",
        )
        .asks::<whoami::SetNotify>()
        .answers::<whoami::Notify>(),
        get(
            "/v1/sessions",
            "sessions",
            Person,
            "The caller's sessions, the newest first; for administrators those of all people. They are listed for 30 days \
             after their end.",
        )
        .with::<session::SessionsQuery>()
        .answers::<session::Sessions>(),
        post(
            "/v1/sessions/{id}/end",
            "endSession",
            Person,
            "End a session: its owner, or an administrator. A second time tells of the first.",
        )
        .answers::<session::Session>(),
        get(
            "/v1/directory/held-ends",
            "heldEnds",
            Person,
            "People whose grants do not end although they lost a group, because many lost it at once: for administrators.",
        )
        .answers::<directory::HeldEnds>(),
        post(
            "/v1/directory/held-ends/confirm",
            "confirmHeldEnds",
            Person,
            "Let the grants end that are held for the loss of a group: for administrators.",
        )
        .asks::<directory::ConfirmHeldEnds>()
        .answers::<directory::ConfirmedHeldEnds>(),
        get(
            "/v1/deliveries",
            "deliveries",
            Person,
            "What the sinks were told of events, the newest first, 200 at a time, and the state of every sink: for auditors and \
             administrators. Deliveries are listed for 30 days.",
        )
        .with::<deliveries::DeliveriesQuery>()
        .answers::<deliveries::Deliveries>(),
        post(
            "/v1/deliveries/{id}/replay",
            "replay",
            Person,
            "Deliver an event again, under the id that it had: for administrators. `id` is the event's.",
        )
        .asks::<deliveries::Replay>()
        .answers::<deliveries::Replayed>(),
    ]
}

/// What used grants touched.
fn of_rotations() -> Vec<Operation> {
    vec![
        get(
            "/v1/rotations",
            "rotations",
            Person,
            "What used grants touched and is rotated after their end, the newest first, 200 at a time: the caller's own, those \
             with a scope that the caller may approve, and for auditors and administrators all.",
        )
        .with::<rotations::RotationsQuery>()
        .answers::<rotations::Rotations>(),
        post(
            "/v1/rotations/{id}/done",
            "rotationDone",
            Person,
            "It was rotated by hand: a person says so who may approve one of its scopes and did not hold the grant.",
        )
        .asks::<rotations::RotationDone>()
        .answers::<rotations::Rotation>(),
        post(
            "/v1/rotations/{id}/retry",
            "retryRotation",
            Person,
            "Call the hook again, at once: a person says so who may approve one of its scopes and did not hold the grant.",
        )
        .answers::<rotations::Rotation>(),
    ]
}

/// What is looked at once a used grant has ended.
fn of_reviews() -> Vec<Operation> {
    vec![
        get(
            "/v1/reviews",
            "reviews",
            Person,
            "Reviews of used grants, the newest first, 200 at a time: of the caller's own grants, of those with a scope that the \
             caller may approve, and for auditors and administrators all; with `mine` those that the caller may sign.",
        )
        .with::<reviews::ReviewsQuery>()
        .answers::<reviews::Reviews>(),
        get(
            "/v1/reviews/{id}",
            "review",
            Person,
            "A review with all that its reviewer looks at: for those to whom it is listed, and those who may sign it.",
        )
        .answers::<review_in_full::ReviewInFull>(),
        post(
            "/v1/reviews/{id}/sign",
            "signReview",
            Person,
            "It is in order: a person says so who could have approved the request and took no part in it.",
        )
        .asks::<reviews::SignReview>()
        .answers::<reviews::Review>(),
        post(
            "/v1/reviews/{id}/dispute",
            "disputeReview",
            Person,
            "Something is not in order: a person says so who could have approved the request and took no part in it.",
        )
        .asks::<reviews::DisputeReview>()
        .answers::<reviews::Review>(),
    ]
}

/// The service itself.
fn service() -> Vec<Operation> {
    vec![
        get(
            "/healthz",
            "alive",
            PersonIfAuthenticated,
            "The process answers. With `detail=1` an auditor learns more, and every other caller the status alone.",
        )
        .with_parameter(detail())
        .answers::<health::Health>(),
        get(
            "/readyz",
            "ready",
            Unauthenticated,
            "The service can do its work.",
        )
        .answers::<health::Status>(),
        get(
            "/metrics",
            "metrics",
            Unauthenticated,
            "Counters, for Prometheus.",
        )
        .answers_text(),
        get(
            "/openapi.json",
            "openapi",
            Unauthenticated,
            "This document.",
        ),
    ]
}

/// What the answer to a poll asks for.
fn wanted_header() -> Value {
    json!({
        WANTED_HEADER: {
            "schema": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
            "description": "The digest of the poll's breakglass-config, where the service does not know from this \
                            credential what that configuration defines: POST /v1/proxies/configurations says it."
        }
    })
}

/// The header that tells two submissions from one that was sent twice.
fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 257,
            "examples": [
                "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""
            ]
        },
        "description": "1 to 255 visible ASCII characters, in double quotes or without. The same body with the same key, from the same person with the same credential within 24 hours, is the same request and has the same answer, as the request is then; another body is 422."
    })
}

/// The header in which a reader of a stream says what it read last.
fn last_event_id() -> Value {
    json!({
        "name": "Last-Event-ID",
        "in": "header",
        "schema": { "type": "string" },
        "description": "The `id` of the event that was read last: the stream goes on after it."
    })
}

/// What the answer to a submission has beside its body.
fn submitted_headers() -> Value {
    json!({
        "Location": {
            "schema": {
                "type": "string"
            }
        },
        "Idempotency-Replayed": {
            "schema": {
                "type": "string",
                "const": "true"
            },
            "description": "There where the request was submitted before."
        }
    })
}

/// How much an auditor wants to know.
fn detail() -> Value {
    json!({
        "name": "detail",
        "in": "query",
        "schema": { "type": "string", "enum": ["1"] },
        "description": "What an auditor is told of the clock and the configuration.",
    })
}
