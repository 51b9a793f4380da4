//! How one call to the token endpoint proves who the client is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use breakglass_types::instant::Instant;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::discovery::Discovery;
use crate::entry::{ClientAuthentication, IdentityProvider};
use crate::error::ProviderError;
use crate::pem;

use super::assertion;

/// RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where a form is sent, and what goes with it.
#[derive(Debug)]
pub(super) struct ClientProof<'a> {
    /// The token endpoint: for client certificates it may be another one.
    pub(super) endpoint: &'a Url,
    /// The value of the `authorization` header.
    pub(super) authorization: Option<String>,
    /// Fields of the form.
    pub(super) fields: Vec<(&'static str, String)>,
}

/// The proof for one call; `jti` is random.
pub(super) fn client_proof<'a>(
    entry: &IdentityProvider,
    discovery: &'a Discovery,
    jti: &[u8; 32],
    now: Instant,
) -> Result<ClientProof<'a>, ProviderError> {
    let client_id = entry.client_id.as_str();
    let mut proof = ClientProof {
        endpoint: &discovery.token_endpoint,
        authorization: None,
        fields: vec![("client_id", client_id.to_owned())],
    };
    let assertion = match &entry.client_authentication {
        ClientAuthentication::Secret(file) => {
            let secret = pem::text(file)?;
            match discovery.takes_basic {
                true => {
                    proof.authorization = Some(basic(client_id, &secret));
                    // RFC 6749 section 2.3: not by two ways at once.
                    proof.fields.clear();
                }
                false => proof.fields.push(("client_secret", secret)),
            }
            return Ok(proof);
        }
        ClientAuthentication::Certificate { .. } => {
            proof.endpoint = &discovery.mtls_token_endpoint;
            return Ok(proof);
        }
        ClientAuthentication::PrivateKey { file, id } => {
            let audience = discovery.token_endpoint.as_str();
            assertion::sign(file, id, client_id, audience, jti, now)?
        }
        ClientAuthentication::Assertion(file) => pem::text(file)?,
    };
    proof.fields.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
    proof.fields.push(("client_assertion", assertion));
    Ok(proof)
}

/// RFC 6749 section 2.3.1: id and secret are encoded as in a form, and then by HTTP Basic.
fn basic(client_id: &str, secret: &str) -> String {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret))))
}
