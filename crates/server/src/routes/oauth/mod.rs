//! The service as an authorization server (RFC 6749, RFC 7636, RFC 8252): the command line, a public client, has a person sign
//! in here, and an identity provider stands behind it.
//!
//! ```text
//! client   -> GET  /oauth2/authorize               -> browser goes to the provider, with a sealed cookie
//! provider -> GET  /signin/{provider}/callback     -> account and code; browser goes to the client's loopback
//! client   -> POST /oauth2/token                   -> session: access token and refresh token
//! ```
//!
//! A device without a browser gets two codes at `POST /oauth2/device_authorization` (RFC 8628). A person types one of them at
//! `/device`, in a browser elsewhere, and goes on to the provider from there; the device polls the token endpoint with the
//! other ([`device`]).
//!
//! Without `[[identity_providers]]` none of it exists: 404.

pub(super) mod authorize;
pub(super) mod callback;
pub(super) mod client;
mod cookie;
pub(super) mod device;
pub(super) mod metadata;
mod not_let_in;
mod provider;
pub(super) mod sign_out;
pub(super) mod token;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use breakglass_types::instant::Instant;

use crate::app::App;
use crate::clock::Moment;
use crate::problem::{Problem, Reason};
use crate::signin::Providers;

/// The providers at which people sign in.
fn providers(app: &App) -> Result<Arc<Providers>, Problem> {
    let providers = app.providers();
    match providers.is_empty() {
        false => Ok(providers),
        true => Err(Problem::new(
            Reason::SignInNotConfigured,
            "this service has no `identity_providers` in its configuration: people are known by their API tokens",
        )),
    }
}

/// The address of the client, where the connection's side said it.
pub(super) fn source(extensions: &Extensions) -> Option<String> {
    address(extensions).map(|address| address.to_string())
}

fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

/// The issuer without a slash at its end.
fn base(issuer: &str) -> &str {
    issuer.trim_end_matches('/')
}

/// The path of the issuer, without a slash at its end: what stands before the paths of the interface for a browser.
fn path_of(issuer: &str) -> &str {
    let after_scheme = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let path = after_scheme.find('/').and_then(|at| after_scheme.get(at..));
    base(path.unwrap_or_default())
}

/// The moment as the providers' crate has it.
fn instant(moment: Moment) -> Instant {
    Instant::from_millis(u64::try_from(moment.millis()).unwrap_or_default())
}
