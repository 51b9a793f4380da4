//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6).

use breakglass_types::instant::Instant;

use crate::entry::IdentityProvider;
use crate::limits::{LOGOUT_TOKEN_AGE, MAX_LOGOUT_TOKEN_BYTES};

use super::expected::{Expectation, Rules, Sealed};
use super::reading::Claims;
use super::{LOGOUT_EVENT, TokenError};

/// A provider's word that a session there has ended, or all sessions of a person. At least one of the two is named. That it
/// was not used before is the caller's to check, by `jti`.
#[derive(Debug)]
pub struct LogoutToken {
    /// `iss`.
    pub iss: String,
    /// The `sub` of the ID tokens whose sessions have ended.
    pub sub: Option<String>,
    /// The `sid` of the session that has ended; `None`: all of the person.
    pub sid: Option<String>,
    /// Its id.
    pub jti: String,
    /// Until when it would be accepted, and its `jti` has to be remembered.
    pub remember_until: Instant,
}

/// What is expected of a logout token.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedLogoutToken<'a> {
    /// Who issued it.
    pub provider: &'a IdentityProvider,
}

impl Sealed for ExpectedLogoutToken<'_> {}

impl Expectation for ExpectedLogoutToken<'_> {
    type Token = LogoutToken;

    fn rules(&self) -> Rules<'_> {
        Rules {
            what: "logout token",
            max_bytes: MAX_LOGOUT_TOKEN_BYTES,
            media_types: &["logout+jwt", "jwt"],
            algorithms: &self.provider.algorithms,
            max_lifetime: None,
            without_exp: Some(LOGOUT_TOKEN_AGE),
        }
    }

    fn read(&self, claims: &Claims<'_>, _: Instant) -> Result<LogoutToken, TokenError> {
        claims.check_claimed_type("Logout")?;
        let event = claims.json.member("events").and_then(|events| events.member(LOGOUT_EVENT));
        if event.is_none_or(|event| event.as_object().is_none()) {
            return Err(claims.wrong("events", &format!("an object with `{LOGOUT_EVENT}`")));
        }
        if claims.json.member("nonce").is_some() {
            return Err(claims.wrong("nonce", "none: this is an ID token"));
        }
        let iss = claims.text("iss").filter(|iss| self.provider.is_issuer(iss, claims.text("tid")));
        let iss = iss.ok_or_else(|| claims.wrong("iss", &format!("`{}`", self.provider.issuer)))?;
        claims.check_audience(std::slice::from_ref(&self.provider.client_id))?;
        let (sub, sid) = (claims.optional_id("sub")?, claims.optional_id("sid")?);
        if sub.is_none() && sid.is_none() {
            return Err(claims.wrong("sub", "`sub`, `sid` or both"));
        }
        let issued_at = claims.required_instant("iat")?;
        let ends = claims.optional_instant("exp")?.unwrap_or(issued_at.after(LOGOUT_TOKEN_AGE));
        Ok(LogoutToken {
            iss: iss.to_owned(),
            sub,
            sid,
            jti: claims.id("jti")?,
            remember_until: ends.after(crate::limits::CLOCK_SKEW),
        })
    }
}
