//! The keys that prove tokens: `GET /.well-known/jwks.json` (RFC 7517 section 5).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Where the keys are.
pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// Where the keys are that prove tokens of one audience: what a filter has as `jwks.remote.path`.
#[must_use]
pub fn jwks_path(audience: &str) -> String {
    use std::fmt::Write as _;
    let mut path = format!("{JWKS_PATH}?audience=");
    for byte in audience.bytes() {
        // RFC 3986 section 2.3: unreserved characters.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// Which keys.
#[derive(Debug, Clone, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JwksQuery {
    /// Those that prove tokens of this audience; given several times, of each of them. Without it those that sign for
    /// every audience that has no keys of its own.
    #[param(required = false, max_items = 16)]
    pub audience: Vec<String>,
}

/// The keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwks {
    /// All that may have signed a token that is not over.
    pub keys: Vec<Jwk>,
}

/// A public key of ECDSA (RFC 7518 section 6.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// A coordinate, in base64url.
    pub x: String,
    /// The other one.
    pub y: String,
    /// Which key: its thumbprint (RFC 7638).
    pub kid: String,
    /// `ES256`.
    pub alg: String,
    /// `sig`.
    pub r#use: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_audience_is_what_a_filter_takes_as_a_path() {
        assert_eq!(jwks_path("payments-prod"), "/.well-known/jwks.json?audience=payments-prod");
        assert_eq!(
            jwks_path("a b&c=\u{e9}/#"),
            "/.well-known/jwks.json?audience=a%20b%26c%3D%C3%A9%2F%23"
        );
    }
}
