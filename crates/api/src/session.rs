//! Signing in and sessions: `GET /oauth2/authorize`, `POST /oauth2/token`, `/v1/sessions`, and what the service says of itself
//! as an authorization server.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;
use crate::{Instant, Word, nullable};

/// A request to sign in (RFC 6749 section 4.1.1, RFC 7636 section 4.3). Parameters that are not known are ignored, as the RFC
/// says.
#[derive(Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuthorizeQuery {
    /// `breakglass-cli`.
    pub client_id: Option<String>,
    /// `http://127.0.0.1:<port>/callback`, with any port.
    pub redirect_uri: Option<String>,
    /// `code`.
    pub response_type: Option<String>,
    /// Comes back with the answer: 1 to 512 visible ASCII characters.
    pub state: Option<String>,
    /// The SHA-256 of the `code_verifier`, in base64url.
    pub code_challenge: Option<String>,
    /// `S256`.
    pub code_challenge_method: Option<String>,
    /// The identity provider, by its name in the configuration; without it a page lets the person choose, where there are
    /// several.
    pub provider: Option<String>,
    /// Passed on to the provider: who wants to sign in.
    pub login_hint: Option<String>,
    /// A level of sign-in of the provider's entry.
    pub level: Option<String>,
    /// How many seconds ago the person may have authenticated by that level.
    pub max_age: Option<u64>,
    /// The account that must come back, as `account` of the tokens says it: for a person who signs in again. Another person is
    /// `access_denied`. It says the provider too.
    pub account: Option<String>,
}

/// What a device sends to `POST /oauth2/device_authorization` (RFC 8628 section 3.1). Fields that are not known are ignored, as
/// the RFC says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceAuthorizationRequest {
    /// `breakglass-cli`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_id: Option<String>,
    /// The identity provider, by its name in the configuration; without it the person chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider: Option<String>,
    /// A level of sign-in of the provider's entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub level: Option<String>,
    /// How many seconds ago the person may have authenticated by that level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_age: Option<u64>,
    /// The account that has to sign in: another person is `access_denied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub account: Option<String>,
}

/// The codes by which a person signs in for a device (RFC 8628 section 3.2). There is no `verification_uri_complete`: the code
/// is typed by hand. Neither code is shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceAuthorization {
    /// What the device polls `POST /oauth2/token` with.
    pub device_code: String,
    /// What the person types: `XXXX-XXXX`.
    pub user_code: String,
    /// The page on which to type it.
    pub verification_uri: String,
    /// How long both count, in seconds.
    pub expires_in: i64,
    /// How long the device waits between two polls, in seconds.
    pub interval: i64,
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DeviceAuthorization")
            .field("verification_uri", &self.verification_uri)
            .finish_non_exhaustive()
    }
}

/// What the page at `/device` sends: first the code that was typed, then what the person decides.
#[derive(Clone, Default, Deserialize, ToSchema)]
pub struct DeviceForm {
    /// What shows that this page was opened in this browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub form: Option<String>,
    /// The code that was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// The identity provider at which the person goes on to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider: Option<String>,
    /// `no`: the person did not start it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub answer: Option<String>,
}

/// What a client sends to `POST /oauth2/token` (RFC 6749 sections 4.1.3 and 6, RFC 8628 section 3.4). Fields that are not known are ignored, as the
/// RFC says.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `authorization_code`, `refresh_token` or `urn:ietf:params:oauth:grant-type:device_code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub grant_type: Option<String>,
    /// `breakglass-cli`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_id: Option<String>,
    /// The code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// Where the code was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub redirect_uri: Option<String>,
    /// What `code_challenge` is the SHA-256 of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code_verifier: Option<String>,
    /// The refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refresh_token: Option<String>,
    /// The device code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub device_code: Option<String>,
}

/// The tokens of a session (RFC 6749 section 5.1). None is shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionTokens {
    /// The access token: `Authorization: Bearer ..`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// How long the access token counts, in seconds.
    pub expires_in: i64,
    /// The refresh token, for one use.
    pub refresh_token: String,
    /// The person: the `sub` of break-glass tokens.
    pub account: String,
    /// The session.
    pub session: String,
    /// When the session ends at the latest.
    pub session_ends_at: Instant,
}

impl fmt::Debug for SessionTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionTokens")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// A refusal of `POST /oauth2/token` or `POST /oauth2/device_authorization` (RFC 6749 section 5.2, RFC 8628 section 3.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthError {
    /// A word of the RFC, such as `invalid_grant`; `temporarily_unavailable` where the service cannot do it now.
    pub error: String,
    /// In words, with what to do.
    pub error_description: String,
}

words! {
    /// What a session is.
    SessionState {
        /// It was ended before its time.
        Ended = "ended",
        /// It was not used for an hour.
        Idle = "idle",
        /// It can be used.
        Live = "live",
        /// Its 12 hours are over.
        Over = "over",
    }
}

/// The two machines of a session that began by a device code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceSignIn {
    /// The address of the device that asked for the code.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub source: Option<String>,
    /// The address of the browser in which the person signed in.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub browser: Option<String>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// The client that holds it.
    pub client: String,
    /// The address from which the client began it.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub source: Option<String>,
    /// What it is.
    #[schema(value_type = SessionState)]
    pub state: Word<SessionState>,
    /// When it began.
    pub began_at: Instant,
    /// When its client took tokens last.
    pub used_at: Instant,
    /// When it ends at the latest.
    pub ends_at: Instant,
    /// When it was ended before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_at: Option<Instant>,
    /// By which person or `service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_by: Option<String>,
    /// Why, as a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub end_reason: Option<String>,
    /// The level of sign-in that was asked for and reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub level: Option<String>,
    /// How the person authenticated, where a level was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub factor: Option<SessionFactor>,
    /// From where it was begun, where it was by a device code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub device: Option<DeviceSignIn>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// How a person authenticated when a session began: what scopes that require a sign-in look at, and tokens say. A refresh does
/// not change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionFactor {
    /// The level, by its name in the provider's entry.
    pub level: String,
    /// The provider's word for what was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acr: Option<String>,
    /// The provider's words for how (RFC 8176).
    #[serde(default)]
    #[schema(required = true)]
    pub amr: Vec<String>,
    /// When.
    pub auth_time: Instant,
}

/// A page of sessions, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// `after` of the next page.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// Which sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SessionsQuery {
    /// Those of all people: for administrators.
    #[serde(default)]
    #[param(required = false)]
    pub all: bool,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// What the service says of itself as an authorization server (RFC 8414).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthorizationServer {
    /// `issuer` of the configuration.
    pub issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: String,
    /// Where tokens and sessions are ended.
    pub revocation_endpoint: String,
    /// Where a device gets its codes (RFC 8628); nothing where no person may sign in so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub device_authorization_endpoint: Option<String>,
    /// The keys that prove break-glass tokens.
    pub jwks_uri: String,
    /// `code`.
    pub response_types_supported: Vec<String>,
    /// `authorization_code`, `refresh_token` and perhaps `urn:ietf:params:oauth:grant-type:device_code`.
    pub grant_types_supported: Vec<String>,
    /// `S256`.
    pub code_challenge_methods_supported: Vec<String>,
    /// `none`: clients are public.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Each answer to a client names the issuer (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
}
