//! The keys that prove tokens: `GET /.well-known/jwks.json` (RFC 7517 section 5).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
