//! Refusals as the client sees them: `application/problem+json` (RFC 9457) with a stable `reason`
//! word, and a `detail` that says what to do.
//!
//! The cause of an internal failure goes to the log, once, here; the client learns only that there
//! was one.

use std::fmt::Display;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::store::{Fault, StoreError};

/// Why the answer is no: one word each, stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The scopes are for different environments.
    AudiencesDiffer,
    /// The body is larger than any valid one.
    BodyTooLarge,
    /// The clock was set, and nobody has said that the new time is right.
    ClockStepped,
    /// The clock says nothing that could be a time.
    ClockUnknown,
    /// No API token came.
    CredentialMissing,
    /// Another credential than the one that submitted the request.
    CredentialChanged,
    /// The API token is nobody's.
    CredentialUnknown,
    /// Longer than a scope allows.
    DurationTooLong,
    /// The credential has put into the evidence database what it may.
    EvidenceQuota,
    /// The evidence database is not open.
    EvidenceUnavailable,
    /// The grant has ended.
    GrantExpired,
    /// The grant was approved at a time that has not come: a clock was wrong.
    GrantNotBegun,
    /// The grant was revoked.
    GrantRevoked,
    /// There is no such grant.
    GrantUnknown,
    /// The key of a repeated submission stands for another one.
    IdempotencyKeyReused,
    /// The service failed.
    InternalError,
    /// A field is missing, of another type, or out of bounds.
    InvalidRequest,
    /// There is an endpoint, but not for this method.
    MethodNotAllowed,
    /// Nobody else could approve it.
    NoApprover,
    /// The configuration has changed since the request was submitted.
    NoLongerAllowed,
    /// Not one who may approve it.
    NotAnApprover,
    /// Not one who may audit.
    NotAnAuditor,
    /// Not one who may ask for it.
    NotARequester,
    /// It was not approved.
    NotApproved,
    /// There is no such endpoint.
    NotFound,
    /// Neither the requester nor an approver of it.
    NotInvolved,
    /// It was decided already, or lapsed.
    NotPending,
    /// The service cannot do its work now.
    NotReady,
    /// Only the requester may.
    NotTheRequester,
    /// There is no such challenge, or it is over.
    ProbeUnknown,
    /// A proxy's credential where a person's is needed.
    PeopleOnly,
    /// A person's credential where a proxy's is needed.
    ProxiesOnly,
    /// The proxy is not gone.
    ProxyAlive,
    /// There is no such proxy.
    ProxyUnknown,
    /// There is no such request.
    RequestUnknown,
    /// There is no such scope.
    ScopeUnknown,
    /// Nobody approves their own request.
    SelfApproval,
    /// The database is locked, or all connections to it are in use.
    StorageBusy,
    /// The database's file system is full.
    StorageFull,
    /// A file of the database could not be read, written or opened.
    StorageIoError,
    /// Little space is left on the database's file system: it is kept for revocations.
    StorageLow,
    /// The database got no memory.
    StorageOutOfMemory,
    /// The database's file cannot be written.
    StorageReadOnly,
    /// It took too long.
    Timeout,
    /// The token would be larger than filters accept.
    TokenTooLarge,
    /// As many requests wait for a decision as a person may have.
    TooManyPending,
    /// There is no place for another connection, or for another request of a proxy.
    TooManyConnections,
    /// As many challenges live as may.
    TooManyProbes,
    /// The person waits in too many places.
    TooManyWaits,
    /// The body is of another type.
    UnsupportedMediaType,
}

impl Reason {
    /// The HTTP status, the word and the title.
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Reason::AudiencesDiffer => {
                (S::BAD_REQUEST, "audiences_differ", "One environment per request")
            }
            Reason::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large"),
            Reason::ClockStepped => (S::SERVICE_UNAVAILABLE, "clock_stepped", "Clock stepped"),
            Reason::ClockUnknown => (S::SERVICE_UNAVAILABLE, "clock_unknown", "Clock unknown"),
            Reason::CredentialChanged => (S::FORBIDDEN, "credential_changed", "Credential changed"),
            Reason::CredentialMissing => {
                (S::UNAUTHORIZED, "credential_missing", "Credential missing")
            }
            Reason::CredentialUnknown => {
                (S::UNAUTHORIZED, "credential_unknown", "Credential unknown")
            }
            Reason::DurationTooLong => (S::BAD_REQUEST, "duration_too_long", "Duration too long"),
            Reason::EvidenceQuota => {
                (S::TOO_MANY_REQUESTS, "evidence_quota", "Too much evidence of one credential")
            }
            Reason::EvidenceUnavailable => {
                (S::SERVICE_UNAVAILABLE, "evidence_unavailable", "No evidence is taken now")
            }
            Reason::GrantNotBegun => (S::CONFLICT, "grant_not_begun", "The grant has not begun"),
            Reason::GrantExpired => (S::CONFLICT, "grant_expired", "The grant has ended"),
            Reason::GrantRevoked => (S::CONFLICT, "grant_revoked", "The grant was revoked"),
            Reason::GrantUnknown => (S::NOT_FOUND, "grant_unknown", "Unknown grant"),
            Reason::IdempotencyKeyReused => {
                (S::UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key reused")
            }
            Reason::InternalError => {
                (S::INTERNAL_SERVER_ERROR, "internal_error", "The service failed")
            }
            Reason::InvalidRequest => (S::BAD_REQUEST, "invalid_request", "Invalid request"),
            Reason::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            }
            Reason::NoApprover => (S::FORBIDDEN, "no_approver", "Nobody could approve this"),
            Reason::NoLongerAllowed => (S::FORBIDDEN, "no_longer_allowed", "No longer allowed"),
            Reason::NotAnApprover => (S::FORBIDDEN, "not_an_approver", "Not an approver"),
            Reason::NotAnAuditor => (S::FORBIDDEN, "not_an_auditor", "Not an auditor"),
            Reason::NotARequester => (S::FORBIDDEN, "not_a_requester", "Not a requester"),
            Reason::NotApproved => (S::CONFLICT, "not_approved", "Not approved"),
            Reason::NotFound => (S::NOT_FOUND, "not_found", "Not found"),
            Reason::NotInvolved => (S::FORBIDDEN, "not_involved", "Not involved"),
            Reason::NotPending => (S::CONFLICT, "not_pending", "Not pending"),
            Reason::NotReady => (S::SERVICE_UNAVAILABLE, "not_ready", "Not ready"),
            Reason::NotTheRequester => (S::FORBIDDEN, "not_the_requester", "Not the requester"),
            Reason::PeopleOnly => (S::FORBIDDEN, "people_only", "People only"),
            Reason::ProbeUnknown => (S::NOT_FOUND, "probe_unknown", "Unknown challenge"),
            Reason::ProxiesOnly => (S::FORBIDDEN, "proxies_only", "Proxies only"),
            Reason::ProxyAlive => (S::CONFLICT, "proxy_alive", "The proxy is alive"),
            Reason::ProxyUnknown => (S::NOT_FOUND, "proxy_unknown", "Unknown proxy"),
            Reason::RequestUnknown => (S::NOT_FOUND, "request_unknown", "Unknown request"),
            Reason::ScopeUnknown => (S::BAD_REQUEST, "scope_unknown", "Unknown scope"),
            Reason::SelfApproval => {
                (S::FORBIDDEN, "self_approval", "Nobody approves their own request")
            }
            Reason::StorageBusy => (S::SERVICE_UNAVAILABLE, "storage_busy", "The database is busy"),
            Reason::StorageFull => (S::SERVICE_UNAVAILABLE, "storage_full", "The disk is full"),
            Reason::StorageIoError => {
                (S::SERVICE_UNAVAILABLE, "storage_io_error", "The storage failed")
            }
            Reason::StorageLow => (S::SERVICE_UNAVAILABLE, "storage_low", "Little space is left"),
            Reason::StorageOutOfMemory => {
                (S::SERVICE_UNAVAILABLE, "storage_out_of_memory", "Out of memory")
            }
            Reason::StorageReadOnly => {
                (S::SERVICE_UNAVAILABLE, "storage_read_only", "The database is read-only")
            }
            Reason::Timeout => (S::SERVICE_UNAVAILABLE, "timeout", "Timeout"),
            Reason::TokenTooLarge => {
                (S::BAD_REQUEST, "token_too_large", "The token would be too large")
            }
            Reason::TooManyPending => {
                (S::TOO_MANY_REQUESTS, "too_many_pending", "Too many pending requests")
            }
            Reason::TooManyConnections => {
                (S::SERVICE_UNAVAILABLE, "too_many_connections", "Too many connections")
            }
            Reason::TooManyProbes => {
                (S::TOO_MANY_REQUESTS, "too_many_probes", "Too many challenges")
            }
            Reason::TooManyWaits => (S::TOO_MANY_REQUESTS, "too_many_waits", "Too many waits"),
            Reason::UnsupportedMediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            }
        }
    }

    /// After how many seconds a client may try again, where waiting is all that it can do.
    fn retry_after(self) -> Option<&'static str> {
        match self {
            // A lock is held for moments.
            Reason::StorageBusy => Some("1"),
            Reason::NotReady
            | Reason::EvidenceUnavailable
            | Reason::TooManyConnections
            | Reason::TooManyWaits
            | Reason::StorageFull
            | Reason::StorageIoError
            | Reason::StorageOutOfMemory
            | Reason::StorageReadOnly => Some("5"),
            // There has to be room, or the clock has to be set.
            Reason::EvidenceQuota
            | Reason::TooManyProbes
            | Reason::StorageLow
            | Reason::ClockStepped
            | Reason::ClockUnknown => Some("30"),
            _ => None,
        }
    }

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.parts().1
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    reason: Reason,
    detail: String,
    errors: Vec<FieldProblem>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Where, such as `scopes[0]`.
    pub field: String,
    /// The word for what is wrong.
    #[serde(serialize_with = "word")]
    pub reason: Reason,
    /// What was expected.
    pub detail: String,
}

impl Problem {
    /// A refusal with what to do about it.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Problem {
        Problem { reason, detail: detail.into(), errors: Vec::new() }
    }

    /// A refusal of everything that is wrong with what was sent; its reason is the first one's.
    #[must_use]
    pub fn fields(errors: Vec<FieldProblem>) -> Problem {
        let reason = errors.first().map_or(Reason::InvalidRequest, |error| error.reason);
        let detail: Vec<String> =
            errors.iter().map(|error| format!("{}: {}", error.field, error.detail)).collect();
        Problem { reason, detail: detail.join("; "), errors }
    }

    /// The service failed: `cause` goes to the log and nowhere else.
    #[must_use]
    pub fn internal(cause: &dyn Display) -> Problem {
        tracing::error!(%cause, "request failed");
        Problem::new(
            Reason::InternalError,
            "the service failed; nothing was changed unless `breakglass status` shows it; \
             its log has the cause",
        )
    }

    /// The same refusal after something was done: `done` says what, and comes first.
    #[must_use]
    pub fn after(mut self, done: &str) -> Problem {
        self.detail = format!("{done}: {}", self.detail);
        self
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        if matches!(error, StoreError::LowSpace) {
            tracing::warn!(cause = %error, "request refused");
            return Problem::new(
                Reason::StorageLow,
                "the disk of the database is nearly full, and what is left is kept for revocations; \
                 tell who runs the service",
            );
        }
        let (reason, fault) = match error.fault() {
            None => return Problem::internal(&error),
            Some(Fault::Full) => (Reason::StorageFull, "the disk of the database is full"),
            Some(Fault::Io) => (Reason::StorageIoError, "the storage of the database failed"),
            Some(Fault::ReadOnly) => (Reason::StorageReadOnly, "the database cannot be written"),
            Some(Fault::Busy) => (Reason::StorageBusy, "the database is locked or overloaded"),
            Some(Fault::OutOfMemory) => (Reason::StorageOutOfMemory, "the database got no memory"),
        };
        tracing::error!(cause = %error, reason = reason.word(), "request failed");
        Problem::new(
            reason,
            format!(
                "{fault}; nothing was changed unless `breakglass status` shows it; try again, and \
                 if it stays so tell who runs the service"
            ),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, reason, title) = self.reason.parts();
        let body = Body {
            r#type: format!("{}{reason}", breakglass_types::names::REASON_URN),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            reason,
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, body).into_response();
        // For those around the endpoint.
        response.extensions_mut().insert(self.reason);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.reason.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(match self.reason {
                    Reason::CredentialMissing => r#"Bearer realm="breakglass""#,
                    _ => r#"Bearer realm="breakglass", error="invalid_token""#,
                }),
            );
        }
        response
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "<[FieldProblem]>::is_empty")]
    errors: &'a [FieldProblem],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn word<S: serde::Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.word())
}
