//! ID tokens (OpenID Connect Core sections 2, 3.1.3.7 and 12.2).

use breakglass_types::instant::Instant;
use breakglass_types::json::Json;

use crate::entry::IdentityProvider;
use crate::limits::MAX_ID_TOKEN_BYTES;

use super::expected::{Expectation, Rules, Sealed};
use super::reading::{Claims, instant};
use super::{LOGOUT_EVENT, TokenError};

/// What an ID token of either kind says about a person.
#[derive(Debug)]
pub struct IdentityClaims {
    iss: String,
    sub: String,
    sid: Option<String>,
    json: Json,
}

/// The ID token of a code exchange: it answers the authorization request with this nonce.
#[derive(Debug)]
pub struct IdToken {
    identity: IdentityClaims,
    issued_at: Instant,
    acr: Option<String>,
    acrs: Vec<String>,
    amr: Vec<String>,
    auth_time: Option<Instant>,
}

/// The ID token of a refresh. It says who the person is, and in which groups. Its `acr`, `amr` and `auth_time` are not read:
/// Keycloak's say that the person authenticated just now, by a password that was typed hours ago.
#[derive(Debug)]
pub struct RefreshedIdToken(IdentityClaims);

/// What is expected of the ID token of a code exchange.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedIdToken<'a> {
    /// Who issued it.
    pub provider: &'a IdentityProvider,
    /// The nonce of the authorization request.
    pub nonce: &'a str,
}

/// What is expected of the ID token of a refresh (OpenID Connect Core section 12.2).
#[derive(Debug, Clone, Copy)]
pub struct ExpectedRefreshedIdToken<'a> {
    /// Who issued it.
    pub provider: &'a IdentityProvider,
    /// The nonce of the first ID token, which it has or not.
    pub nonce: &'a str,
    /// The `iss` of the first ID token.
    pub iss: &'a str,
    /// The `sub` of the first ID token.
    pub sub: &'a str,
}

impl IdentityClaims {
    /// `iss`.
    #[must_use]
    pub fn iss(&self) -> &str {
        &self.iss
    }

    /// `sub`: opaque, and the same in logout tokens and at the userinfo endpoint. Which claims say who a person is, the entry
    /// says ([`Person`](crate::Person)).
    #[must_use]
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// `sid`: the session there, which logout tokens name.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// All claims: a JSON object.
    #[must_use]
    pub fn json(&self) -> &Json {
        &self.json
    }
}

impl IdToken {
    /// The claims about the person.
    #[must_use]
    pub fn identity(&self) -> &IdentityClaims {
        &self.identity
    }

    /// `iat`.
    pub(crate) fn issued_at(&self) -> Instant {
        self.issued_at
    }

    /// `acr`: the level that was reached, at some time.
    pub(crate) fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// `acrs`: Entra's levels.
    pub(crate) fn acrs(&self) -> &[String] {
        &self.acrs
    }

    /// `amr`: how the person authenticated (RFC 8176).
    pub(crate) fn amr(&self) -> &[String] {
        &self.amr
    }

    /// `auth_time`: when.
    pub(crate) fn auth_time(&self) -> Option<Instant> {
        self.auth_time
    }
}

impl RefreshedIdToken {
    /// The claims about the person.
    #[must_use]
    pub fn identity(&self) -> &IdentityClaims {
        &self.0
    }
}

fn rules(provider: &IdentityProvider) -> Rules<'_> {
    Rules {
        what: "ID token",
        max_bytes: MAX_ID_TOKEN_BYTES,
        media_types: &["jwt"],
        algorithms: &provider.algorithms,
        max_lifetime: None,
        without_exp: None,
    }
}

impl Sealed for ExpectedIdToken<'_> {}

impl Expectation for ExpectedIdToken<'_> {
    type Token = IdToken;

    fn rules(&self) -> Rules<'_> {
        rules(self.provider)
    }

    fn read(&self, claims: &Claims<'_>, _: Instant) -> Result<IdToken, TokenError> {
        if claims.text("nonce") != Some(self.nonce) {
            return Err(claims.wrong("nonce", "the nonce of this sign-in"));
        }
        Ok(IdToken {
            identity: read_identity(self.provider, claims)?,
            issued_at: claims.required_instant("iat")?,
            acr: claims.json.member("acr").and_then(word),
            acrs: words(claims.json.member("acrs")),
            amr: words(claims.json.member("amr")),
            auth_time: claims.json.member("auth_time").and_then(instant),
        })
    }
}

impl Sealed for ExpectedRefreshedIdToken<'_> {}

impl Expectation for ExpectedRefreshedIdToken<'_> {
    type Token = RefreshedIdToken;

    fn rules(&self) -> Rules<'_> {
        rules(self.provider)
    }

    fn read(&self, claims: &Claims<'_>, _: Instant) -> Result<RefreshedIdToken, TokenError> {
        if claims.json.member("nonce").is_some_and(|nonce| nonce.as_str() != Some(self.nonce)) {
            return Err(claims.wrong("nonce", "the nonce of the sign-in, or none"));
        }
        let identity = read_identity(self.provider, claims)?;
        if identity.iss != self.iss {
            return Err(claims.wrong("iss", "that of the sign-in"));
        }
        if identity.sub != self.sub {
            return Err(claims.wrong("sub", "the person who signed in"));
        }
        Ok(RefreshedIdToken(identity))
    }
}

fn read_identity(
    provider: &IdentityProvider,
    claims: &Claims<'_>,
) -> Result<IdentityClaims, TokenError> {
    claims.check_claimed_type("ID")?;
    let is_logout = claims.json.member("events").and_then(|one| one.member(LOGOUT_EVENT)).is_some();
    if is_logout {
        return Err(claims.wrong("events", "none: this is a logout token"));
    }
    let iss = claims.text("iss").filter(|iss| provider.is_issuer(iss, claims.text("tid")));
    let iss = iss.ok_or_else(|| claims.wrong("iss", &format!("`{}`", provider.issuer)))?;
    check_audience(provider, claims)?;
    if let Some(claim) = provider.required_claims.unmet_by(claims.json) {
        return Err(claims.wrong(claim, "one of the values in `required_claims`"));
    }
    Ok(IdentityClaims {
        iss: iss.to_owned(),
        sub: claims.id("sub")?,
        sid: claims.optional_id("sid")?,
        json: claims.json.clone(),
    })
}

/// OpenID Connect Core section 3.1.3.7, 3 to 5: it is for this client, for others only where they are trusted, and asked for
/// by this client.
fn check_audience(provider: &IdentityProvider, claims: &Claims<'_>) -> Result<(), TokenError> {
    claims.check_audience(std::slice::from_ref(&provider.client_id))?;
    let audiences = claims.audiences()?;
    let is_trusted = |audience: &&str| {
        *audience == provider.client_id
            || provider.trusted_audiences.iter().any(|trusted| trusted == audience)
    };
    if !audiences.iter().all(is_trusted) {
        return Err(claims.wrong("aud", "no audience but `client_id` and `trusted_audiences`"));
    }
    match claims.json.member("azp") {
        Some(azp) if azp.as_str() != Some(provider.client_id.as_str()) => {
            Err(claims.wrong("azp", "`client_id`"))
        }
        None if audiences.len() > 1 => {
            Err(claims.wrong("azp", "`client_id`, because there are several audiences"))
        }
        _ => Ok(()),
    }
}

/// A text, or a number as one: some providers count their levels.
fn word(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text or a list of them. What is none of them proves nothing, and is left out.
fn words(value: Option<&Json>) -> Vec<String> {
    match value {
        Some(Json::String(text)) => vec![text.clone()],
        Some(Json::Array(items)) => items.iter().filter_map(word).collect(),
        _ => Vec::new(),
    }
}
