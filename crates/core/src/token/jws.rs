//! A compact JWS of which nothing is proved: structure only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::claims::MAX_NAME_BYTES;
use crate::json::Json;
use crate::reason::DenyReason;

use super::{Algorithm, PublicKey, ValidSignature};

/// Header parameters that would let a token bring its own key, or ask for processing that we do not
/// do (RFC 7515 sections 4.1.2 to 4.1.11, RFC 7797). A token with one of them is refused unseen.
const REFUSED_PARAMETERS: [&str; 6] = ["b64", "crit", "jku", "jwk", "x5c", "x5u"];

/// A compact JWS (RFC 7515 section 7.1) with a JSON object as its payload, whose signature was not checked. What it says
/// serves to find the key that could check it, and for nothing else.
#[derive(Debug)]
pub struct Jws<'a> {
    text: &'a str,
    alg: String,
    kid: String,
    typ: Option<String>,
    payload: Json,
}

impl<'a> Jws<'a> {
    /// Takes a token apart. `alg` and `kid` are required; `typ` may be absent, as identity providers and Kubernetes leave
    /// it out.
    ///
    /// # Errors
    /// [`DenyReason::TokenTooLarge`] over `max_bytes`, before anything is parsed; [`DenyReason::TokenMalformed`] for what
    /// is not a JWS that we would process.
    pub fn parse(bytes: &'a [u8], max_bytes: usize) -> Result<Jws<'a>, DenyReason> {
        if bytes.len() > max_bytes {
            return Err(DenyReason::TokenTooLarge);
        }
        Jws::parse_within_bound(bytes).ok_or(DenyReason::TokenMalformed)
    }

    fn parse_within_bound(bytes: &'a [u8]) -> Option<Jws<'a>> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut parts = text.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        decode(signature)?;
        let header = Json::parse(&decode(header)?).ok()?;
        let members = header.as_object()?;
        if REFUSED_PARAMETERS.iter().any(|name| members.contains_key(*name)) {
            return None;
        }
        let parameter = |name: &str| {
            let value = members.get(name)?.as_str()?;
            (!value.is_empty() && value.len() <= MAX_NAME_BYTES).then(|| value.to_owned())
        };
        let (alg, kid) = (parameter("alg")?, parameter("kid")?);
        let typ = match members.contains_key("typ") {
            true => Some(parameter("typ")?),
            false => None,
        };
        let payload = Json::parse(&decode(payload)?).ok()?;
        payload.as_object()?;
        Some(Jws { text, alg, kid, typ, payload })
    }

    /// The whole token.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// `alg`, as the token says.
    #[must_use]
    pub fn unverified_alg(&self) -> &str {
        &self.alg
    }

    /// `kid`, as the token says.
    #[must_use]
    pub fn unverified_kid(&self) -> &str {
        &self.kid
    }

    /// `typ`, letter by letter as the token says; `None` where it is absent.
    #[must_use]
    pub fn unverified_typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// `typ` as a media type: in lower case and without `application/` (RFC 7515 section 4.1.9).
    #[must_use]
    pub fn unverified_media_type(&self) -> Option<String> {
        self.typ.as_deref().map(media_type)
    }

    /// The payload, as the token says: a JSON object.
    #[must_use]
    pub fn unverified_payload(&self) -> &Json {
        &self.payload
    }

    /// Checks the signature with `key`, which must be for `algorithm`. What the payload says is left to the caller.
    #[must_use]
    pub fn verify_with(&self, key: &PublicKey, algorithm: Algorithm) -> Option<ValidSignature> {
        key.verify_text(algorithm, self.text, self.typ.as_deref())
    }
}

/// A `typ` as a media type, in lower case: `application/` may be left out (RFC 7515 section 4.1.9).
pub(crate) fn media_type(typ: &str) -> String {
    let media_type = typ.to_ascii_lowercase();
    media_type.strip_prefix("application/").map(str::to_owned).unwrap_or(media_type)
}

/// base64url without padding; a text that is not the one encoding of its bytes is refused, so that
/// one token has one spelling (RFC 7515 section 2, RFC 4648 section 3.5).
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
