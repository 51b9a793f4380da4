//! `POST /oauth2/device_authorization`: a device gets its codes (RFC 8628 sections 3.1 and 3.2).

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest as _, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use breakglass_api::session::{DeviceAuthorization, DeviceAuthorizationRequest};

use super::super::client::CLIENT_ID;
use super::super::provider::{Wrong, account, level};
use super::super::token::{NO_STORE, error_of, wrong};
use super::super::{address, base, providers};
use super::{PAGE, fitting};
use crate::app::App;
use crate::clock::Moment;
use crate::config::DeviceSignIn;
use crate::limits::{DEVICE_CODE_S, DEVICE_INTERVAL_S};
use crate::signin::Providers;
use crate::signin::devices::{Device, Devices, TooMany};
use crate::signin::user_code;

pub(in crate::routes) async fn handler(State(app): State<App>, request: Request) -> Response {
    let providers = match providers(&app) {
        Ok(providers) => providers,
        Err(problem) => return problem.into_response(),
    };
    let source = address(request.extensions());
    let form = match Form::<DeviceAuthorizationRequest>::from_request(request, &app).await {
        Ok(Form(form)) => form,
        Err(FormRejection::InvalidFormContentType(_)) => {
            return wrong(
                "invalid_request",
                "expected a body of 'application/x-www-form-urlencoded'",
            );
        }
        // The library's words could repeat what was sent.
        Err(_) => {
            return wrong(
                "invalid_request",
                "expected a form with each field once, and 'max_age' in seconds",
            );
        }
    };
    if form.client_id.as_deref() != Some(CLIENT_ID) {
        return wrong("invalid_client", &format!("client_id: expected '{CLIENT_ID}'"));
    }
    let config = app.config();
    if config.device_sign_in == DeviceSignIn::Off {
        return wrong(
            "unauthorized_client",
            "this service signs no person in by a device code (`device_sign_in`): run `breakglass login` on a machine \
             with a browser",
        );
    }
    let now = app.now();
    let device = Device { source, ..asked(form, now) };
    if let Err((error, description)) = check(&providers, &device) {
        return wrong(error, &description);
    }
    match app.sign_ins().devices.begin(now, device, app.randomness()) {
        Ok(codes) => {
            let answer = DeviceAuthorization {
                device_code: codes.device_code,
                user_code: user_code::shown(&codes.user_code),
                verification_uri: format!("{}{PAGE}", base(&config.issuer)),
                expires_in: DEVICE_CODE_S,
                interval: DEVICE_INTERVAL_S,
            };
            (NO_STORE, Json(answer)).into_response()
        }
        Err(TooMany) => {
            let description =
                "too many device codes of this address are under way: try again in a few minutes";
            let refused =
                error_of(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", description);
            ([(header::RETRY_AFTER, "60")], refused).into_response()
        }
    }
}

fn asked(form: DeviceAuthorizationRequest, now: Moment) -> Device {
    Device {
        source: None,
        started_at: now,
        ends_at: Devices::end(now),
        provider: form.provider,
        max_age: form.max_age,
        level: form.level,
        account: form.account,
    }
}

/// Whether a person can sign in as it is asked for.
fn check(providers: &Providers, device: &Device) -> Result<(), Wrong> {
    let wrong = |text: String| Err(("invalid_request", text));
    if let Some(name) = &device.provider {
        let Some(provider) = providers.get(name) else {
            let names = providers.names().collect::<Vec<_>>().join(", ");
            return wrong(format!("provider: expected one of: {names}"));
        };
        level(provider, device.level.as_deref(), device.max_age)?;
    }
    if device.max_age.is_some() && device.level.is_none() {
        return wrong("max_age: expected with 'level' only".to_owned());
    }
    account(device.account.as_deref(), device.provider.as_deref())?;
    match fitting(providers, device).is_empty() {
        true => wrong(
            "no identity provider of this service has all that is asked for: 'provider', 'account' and 'level'"
                .to_owned(),
        ),
        false => Ok(()),
    }
}
