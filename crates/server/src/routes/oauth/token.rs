//! `POST /oauth2/token`: a code, a device code or a refresh token, for the tokens of a session (RFC 6749 sections 4.1.3, 5 and 6;
//! RFC 8628 section 3.4).

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest as _, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use breakglass_api::session::{OAuthError, SessionTokens, TokenRequest};

use super::super::attempted::NotYet;
use super::client::{CLIENT_ID, described};
use super::{device, providers, source};
use crate::app::App;
use crate::auth::identity::RefusedCaller;
use crate::clock::{Moment, written};
use crate::domain::begin_by_device;
use crate::domain::sessions::{self, Exchange, TokenRefused, Tokens};
use crate::evidence::CallerKind;
use crate::problem::{Problem, Reason};

pub(super) const NO_STORE: [(HeaderName, &str); 2] =
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

pub(in crate::routes) async fn handler(State(app): State<App>, request: Request) -> Response {
    if let Err(problem) = providers(&app) {
        return problem.into_response();
    }
    let source = source(request.extensions());
    let form = match Form::<TokenRequest>::from_request(request, &app).await {
        Ok(Form(form)) => form,
        // The library's words could repeat what was sent.
        Err(FormRejection::InvalidFormContentType(_)) => {
            return wrong(
                "invalid_request",
                "expected a body of 'application/x-www-form-urlencoded'",
            );
        }
        Err(_) => return wrong("invalid_request", "expected a form with each field once"),
    };
    if form.client_id.as_deref() != Some(CLIENT_ID) {
        return wrong("invalid_client", &format!("client_id: expected '{CLIENT_ID}'"));
    }
    let (now, source) = (app.now(), source.as_deref());
    let tokens = match form.grant_type.as_deref() {
        Some("authorization_code") => {
            let (Some(code), Some(redirect_uri), Some(verifier)) =
                (&form.code, &form.redirect_uri, &form.code_verifier)
            else {
                return wrong(
                    "invalid_request",
                    "expected 'code', 'redirect_uri' and 'code_verifier'",
                );
            };
            let sent = Exchange { code, client: CLIENT_ID, redirect_uri, verifier, source };
            sessions::begin(&app, now, &sent).await
        }
        Some("refresh_token") => {
            let Some(token) = &form.refresh_token else {
                return wrong("invalid_request", "expected 'refresh_token'");
            };
            sessions::refresh(&app, now, token, CLIENT_ID, source).await
        }
        Some(device::GRANT_TYPE) => {
            let Some(code) = &form.device_code else {
                return wrong("invalid_request", "expected 'device_code'");
            };
            begin_by_device(&app, now, code, CLIENT_ID, source).await
        }
        _ => {
            return wrong(
                "unsupported_grant_type",
                "grant_type: expected 'authorization_code', 'refresh_token' or \
                 'urn:ietf:params:oauth:grant-type:device_code'",
            );
        }
    };
    match tokens {
        Ok(tokens) => (NO_STORE, Json(view(tokens))).into_response(),
        Err(why) => refused(why),
    }
}

fn view(tokens: Tokens) -> SessionTokens {
    let Tokens { access, expires_in, refresh, session } = tokens;
    SessionTokens {
        access_token: access,
        token_type: "Bearer".to_owned(),
        expires_in,
        refresh_token: refresh,
        account: session.account,
        session: session.id,
        session_ends_at: written(Moment::from_seconds(session.ends_at)),
    }
}

fn refused(why: TokenRefused) -> Response {
    let (word, description) = (why.word(), why.to_string());
    let (reason, account) = match why {
        TokenRefused::Store(error) => {
            let reason = Problem::from(error).reason();
            let status = StatusCode::from_u16(reason.status());
            let word = if reason.status() == 503 { "temporarily_unavailable" } else { word };
            return error_of(
                status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
                word,
                reason.title(),
            );
        }
        TokenRefused::Reused { account, .. } | TokenRefused::Ended { account, .. } => {
            (Reason::SessionEnded, Some(account))
        }
        TokenRefused::DeviceRefused { account, .. } => (Reason::SignInRefused, account),
        TokenRefused::Unknown(_)
        | TokenRefused::NotBound(_)
        | TokenRefused::CodeExpired
        | TokenRefused::DevicePending
        | TokenRefused::DeviceSlowDown
        | TokenRefused::DeviceExpired
        | TokenRefused::DeviceTaken => (Reason::InvalidRequest, None),
    };
    let mut response = wrong(word, &description);
    if word == "authorization_pending" {
        response.extensions_mut().insert(NotYet);
    }
    if let Some(account) = account {
        response.extensions_mut().insert(reason);
        response.extensions_mut().insert(RefusedCaller((CallerKind::Person, account)));
    }
    response
}

pub(super) fn wrong(error: &str, description: &str) -> Response {
    error_of(StatusCode::BAD_REQUEST, error, description)
}

pub(super) fn error_of(status: StatusCode, error: &str, description: &str) -> Response {
    let body = OAuthError { error: error.to_owned(), error_description: described(description) };
    (status, NO_STORE, Json(body)).into_response()
}
