//! `GET /.well-known/oauth-authorization-server`: what the service says of itself to clients (RFC 8414).

use axum::Json;
use axum::extract::State;
use breakglass_api::session::AuthorizationServer;

use super::device::GRANT_TYPE;
use super::{base, providers};
use crate::app::App;
use crate::config::DeviceSignIn;
use crate::problem::Problem;

pub(in crate::routes) async fn handler(
    State(app): State<App>,
) -> Result<Json<AuthorizationServer>, Problem> {
    providers(&app)?;
    let config = app.config();
    let at = |path: &str| format!("{}{path}", base(&config.issuer));
    let list =
        |items: &[&str]| -> Vec<String> { items.iter().map(|&item| item.to_owned()).collect() };
    let by_device = config.device_sign_in != DeviceSignIn::Off;
    let mut grants = list(&["authorization_code", "refresh_token"]);
    grants.extend(by_device.then(|| GRANT_TYPE.to_owned()));
    Ok(Json(AuthorizationServer {
        issuer: config.issuer.clone(),
        authorization_endpoint: at("/oauth2/authorize"),
        token_endpoint: at("/oauth2/token"),
        revocation_endpoint: at("/oauth2/revoke"),
        device_authorization_endpoint: by_device.then(|| at("/oauth2/device_authorization")),
        jwks_uri: at("/.well-known/jwks.json"),
        response_types_supported: list(&["code"]),
        grant_types_supported: grants,
        code_challenge_methods_supported: list(&["S256"]),
        token_endpoint_auth_methods_supported: list(&["none"]),
        authorization_response_iss_parameter_supported: true,
    }))
}
