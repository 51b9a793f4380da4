//! Refusals as the client sees them: `application/problem+json` (RFC 9457) with a stable `reason`
//! word, and a `detail` that says what to do.
//!
//! The cause of an internal failure goes to the log, once, here; the client learns only that there
//! was one.

use std::fmt::Display;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::store::{Fault, StoreError};
use crate::text;
pub use breakglass_api::Reason;
pub use breakglass_api::problem::FieldProblem;
use breakglass_api::request::Request;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    reason: Reason,
    detail: String,
    errors: Vec<FieldProblem>,
    request: Option<Box<Request>>,
    sign_in: Option<NeededSignIn>,
}

/// The sign-in that a person needs (RFC 9470).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededSignIn {
    /// The level, by its name in the configuration.
    pub level: String,
    /// How long ago the person may have authenticated by it, in seconds.
    pub max_age: Option<u64>,
}

impl Problem {
    /// A refusal with what to do about it.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Problem {
        Problem { reason, detail: detail.into(), errors: Vec::new(), request: None, sign_in: None }
    }

    /// A refusal of everything that is wrong with what was sent; its reason is the first one's.
    #[must_use]
    pub fn fields(errors: Vec<FieldProblem>) -> Problem {
        let reason = errors.first().and_then(|error| error.reason.known());
        let reason = reason.unwrap_or(Reason::InvalidRequest);
        let detail: Vec<String> =
            errors.iter().map(|error| format!("{}: {}", error.field, error.detail)).collect();
        Problem { errors, ..Problem::new(reason, detail.join("; ")) }
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

    /// The same refusal with the request as it is.
    #[must_use]
    pub fn with_request(mut self, request: Request) -> Problem {
        self.request = Some(Box::new(request));
        self
    }

    /// The person has to sign in like this.
    #[must_use]
    pub fn sign_in(needed: NeededSignIn, detail: impl Into<String>) -> Problem {
        let problem = Problem::new(Reason::InsufficientUserAuthentication, detail);
        Problem { sign_in: Some(needed), ..problem }
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
        let Problem { reason, detail, errors, request, sign_in } = self;
        // Each reason's status is one.
        let status = StatusCode::from_u16(reason.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let challenge = challenge(reason, sign_in.as_ref(), &detail);
        let mut body = breakglass_api::problem::Problem::new(reason, detail, errors);
        body.request = request;
        body.max_age = sign_in.as_ref().and_then(|needed| needed.max_age);
        body.acr_values = sign_in.map(|needed| needed.level);
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, body).into_response();
        // For those around the endpoint.
        response.extensions_mut().insert(reason);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = reason.retry_after_s() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// `WWW-Authenticate` of an answer with 401 (RFC 6750 section 3, RFC 9470 section 3).
fn challenge(reason: Reason, sign_in: Option<&NeededSignIn>, detail: &str) -> HeaderValue {
    let none = HeaderValue::from_static(r#"Bearer realm="breakglass""#);
    match (reason, sign_in) {
        (Reason::CredentialMissing, _) => none,
        (_, Some(NeededSignIn { level, max_age })) => {
            let (level, detail) = (text::quotable(level), text::quotable(detail));
            let max_age =
                max_age.map(|max_age| format!(", max_age=\"{max_age}\"")).unwrap_or_default();
            let text = format!(
                "Bearer realm=\"breakglass\", error=\"insufficient_user_authentication\", \
                 error_description=\"{detail}\", acr_values=\"{level}\"{max_age}"
            );
            HeaderValue::try_from(text).unwrap_or(none)
        }
        _ => HeaderValue::from_static(r#"Bearer realm="breakglass", error="invalid_token""#),
    }
}
