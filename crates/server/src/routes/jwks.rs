//! `GET /.well-known/jwks.json`: the keys that prove tokens (RFC 7517 section 5); `?audience=NAME`: those that prove tokens
//! of this audience, and no keys of other audiences.
//!
//! An audience without keys of its own has the default set: so proxies can fetch the set of an audience before it has keys of
//! its own.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::jwks::Jwks;

use super::body::{FieldErrors, QueryString};
use crate::app::App;
use crate::config::Config;
use crate::problem::Problem;

/// A cache in between must not hide a new key for longer than this: it signs at once.
const CACHE: &str = "max-age=5";

/// The most audiences of one filter that are asked for.
const MAX_AUDIENCES: usize = 16;

pub(super) async fn handler(
    State(app): State<App>,
    QueryString(query): QueryString<Vec<(String, String)>>,
) -> Result<([(HeaderName, &'static str); 1], Json<Jwks>), Problem> {
    let audiences = audiences(&app.config(), query)?;
    let jwks = match audiences.as_slice() {
        [] => app.issuer().jwks(app.floor()),
        audiences => app.issuer().jwks_for(audiences, app.floor()),
    };
    Ok(([(header::CACHE_CONTROL, CACHE)], Json(jwks)))
}

/// Those that are asked for. What is misspelt is refused: a filter with the default set in place of that of its audience
/// would take tokens that another key has signed.
fn audiences(config: &Config, query: Vec<(String, String)>) -> Result<Vec<String>, Problem> {
    let mut errors = FieldErrors::default();
    if query.len() > MAX_AUDIENCES {
        errors.add("audience", format!("expected at most {MAX_AUDIENCES}, got {}", query.len()));
        return Err(errors.into_problem());
    }
    let mut audiences = Vec::new();
    for (name, value) in query {
        if name != "audience" {
            errors
                .add("query", "expected `audience=NAME`, once for each audience, and nothing else");
        } else if config.has_audience(&value) {
            audiences.push(value);
        } else {
            errors.add(
                "audience",
                "expected the audience of a scope that the service is configured with",
            );
        }
    }
    errors.finish().map(|()| audiences)
}
