//! The one verifier of what other issuers sign: ID tokens, logout tokens, tokens of workloads, JWT-SVIDs.
//!
//! What each kind must be is an [`Expectation`]; that its signature is the issuer's, and its time now, is checked here for
//! all of them, by the core's checks of signatures.

mod expected;
mod id_token;
mod jwt_svid;
mod logout_token;
mod reading;
mod token_error;
mod workload_token;

use std::ops::Deref;

use breakglass_core::reason::DenyReason;
use breakglass_core::token::{Algorithm, Jws};
use breakglass_types::instant::Instant;

pub use expected::Expectation;
use expected::Rules;
pub use id_token::{
    ExpectedIdToken, ExpectedRefreshedIdToken, IdToken, IdentityClaims, RefreshedIdToken,
};
pub use jwt_svid::{ExpectedJwtSvid, JwtSvid, svid_keys};
pub use logout_token::{ExpectedLogoutToken, LogoutToken};
use reading::Claims;
pub(crate) use reading::{id, id_expected};
pub use token_error::TokenError;
pub use workload_token::{WorkloadIssuer, WorkloadToken};

use crate::keys::KeySource;
use crate::shown::shown;

/// The member of `events` that makes a token a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A token whose signature, time, issuer and audience were checked, and what else its kind asks for. Only [`verify`]
/// makes one.
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Verifies `token`: size, structure, `typ`, algorithm, key, signature; and then, of claims that its issuer signed: time,
/// issuer, audience, and what is expected of its kind.
///
/// # Errors
/// [`TokenError`]: the first check that failed.
pub fn verify<E: Expectation>(
    token: &str,
    expected: &E,
    keys: &impl KeySource,
    now: Instant,
) -> Result<Verified<E::Token>, TokenError> {
    let rules = expected.rules();
    let what = rules.what;
    let jws = Jws::parse(token.as_bytes(), rules.max_bytes).map_err(|reason| match reason {
        DenyReason::TokenTooLarge => TokenError::TooLarge { what, max_bytes: rules.max_bytes },
        _ => TokenError::Malformed { what },
    })?;
    // RFC 8725 section 3.11; absent, as many leave it out.
    let media_type = jws.unverified_media_type();
    if let Some(typ) = media_type.filter(|typ| !rules.media_types.contains(&typ.as_str())) {
        return Err(TokenError::Type { what, got: shown(&typ) });
    }
    let algorithm = Algorithm::from_name(jws.unverified_alg())
        .filter(|algorithm| rules.algorithms.contains(algorithm))
        .ok_or_else(|| TokenError::Algorithm { what, got: shown(jws.unverified_alg()) })?;
    let key = keys.key(jws.unverified_kid())?;
    // Its result is the proof; what it is for is the type of what this function returns.
    let _signature = jws.verify_with(&key, algorithm).ok_or(TokenError::Signature { what })?;
    let claims = Claims { what, json: jws.unverified_payload() };
    check_time(&claims, &rules, now)?;
    expected.read(&claims, now).map(Verified)
}

/// RFC 7519 sections 4.1.4 to 4.1.6.
fn check_time(claims: &Claims<'_>, rules: &Rules<'_>, now: Instant) -> Result<(), TokenError> {
    let skew = crate::limits::CLOCK_SKEW;
    let issued_at = claims.required_instant("iat")?;
    let begins = claims.optional_instant("nbf")?.map_or(issued_at, |begins| begins.max(issued_at));
    if begins > now.after(skew) {
        return Err(claims.wrong("iat", "a time that has come: the two clocks differ"));
    }
    let ends = match claims.optional_instant("exp")? {
        Some(ends) => ends,
        None => match rules.without_exp {
            Some(lifetime) => issued_at.after(lifetime),
            None => return Err(claims.wrong("exp", "the instant at which it ends")),
        },
    };
    if ends <= issued_at {
        return Err(claims.wrong("exp", "an instant after `iat`"));
    }
    if let Some(longest) = rules.max_lifetime
        && ends.since(issued_at) > longest
    {
        let longest = breakglass_types::instant::format_duration(longest);
        return Err(claims.wrong("exp", &format!("at most {longest} after `iat`")));
    }
    match now >= ends.after(skew) {
        true => Err(claims.wrong("exp", "a time that has not passed")),
        false => Ok(()),
    }
}
