//! A break-glass token of which nothing is proved: structure only.

use crate::json::Json;
use crate::reason::DenyReason;

use super::Jws;
use super::jws::media_type;

/// A compact JWS with a `typ`, whose signature was not checked. What it says serves to find the key that could check it,
/// and for nothing else.
#[derive(Debug)]
pub struct UnverifiedToken<'a> {
    jws: Jws<'a>,
    typ: String,
    media_type: String,
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`DenyReason::TokenTooLarge`] over `max_bytes`, before anything is parsed;
    /// [`DenyReason::TokenMalformed`] for what is not a JWS with a `typ` that we would process.
    pub fn parse(bytes: &'a [u8], max_bytes: usize) -> Result<UnverifiedToken<'a>, DenyReason> {
        let jws = Jws::parse(bytes, max_bytes)?;
        let typ = jws.unverified_typ().ok_or(DenyReason::TokenMalformed)?.to_owned();
        let media_type = media_type(&typ);
        Ok(UnverifiedToken { jws, typ, media_type })
    }

    /// The whole token.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.jws.text()
    }

    /// `alg`, as the token says.
    #[must_use]
    pub fn unverified_alg(&self) -> &str {
        self.jws.unverified_alg()
    }

    /// `kid`, as the token says.
    #[must_use]
    pub fn unverified_kid(&self) -> &str {
        self.jws.unverified_kid()
    }

    /// `typ`, letter by letter as the token says.
    #[must_use]
    pub fn unverified_typ(&self) -> &str {
        &self.typ
    }

    /// `typ` as a media type: in lower case and without `application/`.
    #[must_use]
    pub fn unverified_media_type(&self) -> &str {
        &self.media_type
    }

    /// `iss`, as the token says; `None` if it is missing or no string.
    #[must_use]
    pub fn unverified_issuer(&self) -> Option<&str> {
        self.jws.unverified_payload().member("iss").and_then(Json::as_str)
    }

    /// The payload, as the token says.
    #[must_use]
    pub fn unverified_payload(&self) -> &Json {
        self.jws.unverified_payload()
    }
}
