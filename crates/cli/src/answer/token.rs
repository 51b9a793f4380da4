//! `POST /v1/requests/{id}/token`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_api::token::Issued;
use breakglass_types::limits::MAX_BELIEVED_TOKEN_BYTES;
use serde::Deserialize;
use serde_json::Value;

use super::{Body, check_id};
use breakglass_server::clock::meant;

/// The claims that have to fit what is said beside the token.
#[derive(Deserialize)]
struct Claims {
    jti: String,
    exp: i64,
}

impl Body for Issued {
    const NAME: &'static str = "a token";

    /// No signature is verified: the keys would come from the service that sent the token. No message here
    /// repeats any part of it.
    fn check(&self) -> Result<(), String> {
        check_id("grant", &self.grant)?;
        let compact = || "token: expected a JWS in compact form (RFC 7515)".to_owned();
        if self.token.len() > MAX_BELIEVED_TOKEN_BYTES {
            return Err(compact());
        }
        let parts: Vec<&str> = self.token.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else { return Err(compact()) };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| compact());
        let header: Value = serde_json::from_slice(&decode(header)?).map_err(|_| compact())?;
        let signed = header.get("alg").and_then(Value::as_str).is_some_and(|alg| alg != "none");
        if !signed || decode(signature)?.is_empty() {
            return Err(compact());
        }
        let claims: Claims = serde_json::from_slice(&decode(payload)?)
            .map_err(|_| "token: expected the claims `jti` and `exp`".to_owned())?;
        if claims.jti != self.grant {
            return Err("token: it is for another grant than `grant` says".to_owned());
        }
        if claims.exp != meant(&self.expires_at).seconds() {
            return Err("token: it ends at another instant than `expires_at` says".to_owned());
        }
        Ok(())
    }
}
