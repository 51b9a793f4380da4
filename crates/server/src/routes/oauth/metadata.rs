//! `GET /.well-known/oauth-authorization-server`: what the service says of itself to clients (RFC 8414).

use axum::Json;
use axum::extract::State;
use breakglass_api::session::AuthorizationServer;

use super::{base, providers};
use crate::app::App;
use crate::problem::Problem;

pub(in crate::routes) async fn handler(
    State(app): State<App>,
) -> Result<Json<AuthorizationServer>, Problem> {
    providers(&app)?;
    let config = app.config();
    let at = |path: &str| format!("{}{path}", base(&config.issuer));
    let list = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect();
    Ok(Json(AuthorizationServer {
        issuer: config.issuer.clone(),
        authorization_endpoint: at("/oauth2/authorize"),
        token_endpoint: at("/oauth2/token"),
        revocation_endpoint: at("/oauth2/revoke"),
        jwks_uri: at("/.well-known/jwks.json"),
        response_types_supported: list(&["code"]),
        grant_types_supported: list(&["authorization_code", "refresh_token"]),
        code_challenge_methods_supported: list(&["S256"]),
        token_endpoint_auth_methods_supported: list(&["none"]),
        authorization_response_iss_parameter_supported: true,
    }))
}
