//! `GET /.well-known/jwks.json`: the keys that prove tokens (RFC 7517 section 5).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::jwks::Jwks;

use crate::app::App;
use crate::problem::Problem;

/// A cache in between must not hide a new key for longer than this: it signs at once.
const CACHE: &str = "max-age=5";

pub(super) async fn handler(
    State(app): State<App>,
) -> Result<([(HeaderName, &'static str); 1], Json<Jwks>), Problem> {
    Ok(([(header::CACHE_CONTROL, CACHE)], Json(app.issuer().jwks(app.floor()))))
}
