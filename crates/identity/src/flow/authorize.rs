//! The URL that a person is sent to (OpenID Connect Core section 3.1.2.1, RFC 7636).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::discovery::Discovery;
use crate::entry::{IdentityProvider, Level};

use super::sign_in::SignIn;

/// The URL for this sign-in; `level` is the one that it asks for.
pub(super) fn authorization_url(
    entry: &IdentityProvider,
    discovery: &Discovery,
    sign_in: &SignIn,
    level: Option<&Level>,
) -> Url {
    let mut url = discovery.authorization_endpoint.clone();
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &entry.client_id)
            .append_pair("redirect_uri", &sign_in.redirect_uri)
            .append_pair("scope", &entry.scopes.join(" "))
            .append_pair("state", &sign_in.state)
            .append_pair("nonce", &sign_in.nonce)
            .append_pair("code_challenge", &challenge(&sign_in.verifier))
            .append_pair("code_challenge_method", "S256");
        if let (Some(level), Some(asked)) = (level, &sign_in.asked) {
            // Never the one without the other: a level alone is answered from a session of this morning, and an age alone by
            // the password.
            query.append_pair("max_age", &asked.max_age_s.to_string());
            if !level.acr_values.is_empty() {
                query.append_pair("acr_values", &level.acr_values.join(" "));
            }
            if !level.acrs.is_empty() {
                let acrs = json!({"essential": true, "values": level.acrs});
                query.append_pair("claims", &json!({"id_token": {"acrs": acrs}}).to_string());
            }
            if let Some(prompt) = &level.prompt {
                query.append_pair("prompt", prompt);
            }
        }
    }
    url
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}
