//! Why a provider did not do what it was asked for: it refused, it did not answer, or its answer cannot be right.

use std::time::Duration;

use breakglass_types::instant::format_duration;

use crate::shown::shown;

/// Why a call to a provider, or a sign-in at it, came to nothing. `Display` is for the person who signs in, and for the
/// operator; it holds no secret, and nothing that steers a terminal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The provider answered, and refused.
    #[error("the identity provider refused: {0}")]
    Refused(Refusal),
    /// No answer came.
    #[error("no answer from the identity provider at {at}: {cause}")]
    NoAnswer {
        /// The URL, without its query.
        at: String,
        /// That its time was over, or what the system or the library says.
        cause: String,
    },
    /// The provider answered that it has a fault of its own: a status from 500 on (RFC 9110 section 15.6).
    #[error("the identity provider has a fault of its own: {0}")]
    Fault(String),
    /// The person did not come back from the provider's pages in time.
    #[error(
        "no answer from the identity provider's pages within {}: start again; where they showed an error, its own log \
         has the cause",
        format_duration(*.0)
    )]
    TooLate(Duration),
    /// An answer came, and cannot be right.
    #[error("an answer of the identity provider that cannot be right: {0}")]
    Wrong(String),
    /// What this machine has to give for it is not there.
    #[error("{0}")]
    Local(String),
}

impl ProviderError {
    /// An answer that cannot be right.
    pub(crate) fn wrong(why: impl Into<String>) -> ProviderError {
        ProviderError::Wrong(why.into())
    }

    /// Whether it says no more than that the provider is away: no answer came, or the answer is that it has a fault of its own.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            ProviderError::NoAnswer { .. } | ProviderError::Fault(_) => true,
            ProviderError::Refused(refusal) => {
                matches!(refusal.code(), "temporarily_unavailable" | "server_error")
            }
            ProviderError::TooLate(_) | ProviderError::Wrong(_) | ProviderError::Local(_) => false,
        }
    }

    /// An answer with a status that is not the expected 200: a fault of the provider from 500 on.
    pub(crate) fn status(at: &str, status: u16) -> ProviderError {
        let why = format!("{at}: expected a status 200, got {status}");
        if status >= 500 { ProviderError::Fault(why) } else { ProviderError::Wrong(why) }
    }

    /// Whether it says that the session at the provider is over (idle, logged out, rotated, or the person disabled): the
    /// refusal of a refresh token. That no answer came says nothing of the kind.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        matches!(self, ProviderError::Refused(refusal) if refusal.code() == "invalid_grant")
    }
}

/// A refusal: an OAuth error (RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core section 3.1.2.6), or a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: String,
    description: Option<String>,
}

impl Refusal {
    /// What the provider said: its `error`, and its `error_description`.
    #[must_use]
    pub fn new(code: &str, description: Option<&str>) -> Refusal {
        let description = description.map(shown).filter(|text| !text.is_empty());
        Refusal { code: shown(code), description }
    }

    /// The `error`, such as `access_denied`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What it means, and what to do, in plain words.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        match self.code.as_str() {
            "access_denied" | "authorization_declined" => {
                "the person, or a policy there, declined the sign-in"
            }
            "login_required" => "the person is not signed in there: sign in again",
            "interaction_required" | "consent_required" | "account_selection_required" => {
                "the person has to answer a question there first: sign in again in a browser"
            }
            "unmet_authentication_requirements" => {
                "the person could not meet the level that was asked for, such as a second factor"
            }
            "invalid_grant" => {
                "what was sent is not valid any more: the session there has ended, or the person was disabled; sign in again"
            }
            "invalid_client" | "unauthorized_client" => {
                "it does not know this service, or not its secret or key: check `client_id` and `client_authentication`"
            }
            "invalid_scope" => {
                "it does not know one of `scopes`, or does not allow it to this service"
            }
            "invalid_request" | "unsupported_grant_type" | "unsupported_response_type" => {
                "it does not take this kind of request: check how the client is configured there"
            }
            "authorization_pending" | "slow_down" => "the person has not finished yet",
            "expired_token" => "the person took too long: start again",
            "temporarily_unavailable" | "server_error" => {
                "it has a fault of its own: try again later"
            }
            "invalid_token" => "it does not take the access token that it gave out: sign in again",
            _ => "for a reason that only its own log can explain",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.code, self.meaning())?;
        match &self.description {
            Some(description) => write!(formatter, "; it says: \"{description}\""),
            None => Ok(()),
        }
    }
}
