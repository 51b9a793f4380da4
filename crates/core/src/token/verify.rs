//! From an unverified token to a verified one.

use std::time::Duration;

use crate::claims::{Claims, InvalidClaims};
use crate::config::Config;
use crate::instant::{Instant, format_duration};
use crate::reason::DenyReason;

use super::{Algorithm, KeyRing, Lookup, UnverifiedToken, ValidSignature};

/// The most audiences that one answer names.
const MAX_LISTED: usize = 4;

/// A token that a configured issuer signed, for one of our audiences and within the issuer's
/// `max_lifetime`. Whether its time has come, and not passed, is asked at each use.
#[derive(Debug)]
pub struct VerifiedToken {
    claims: Claims,
    issuer: usize,
    _signature: ValidSignature,
}

/// Why a token is not verified.
#[derive(Debug, PartialEq, Eq)]
pub enum Unverifiable {
    /// It is refused.
    Refuse(DenyReason),
    /// It is refused though its issuer signed it. So whoever sent it may be told why.
    RefuseSigned(DenyReason, String),
    /// The issuer with this index has no key with this `kid`; its source may have one by now.
    FetchKeys(usize),
}

impl From<DenyReason> for Unverifiable {
    fn from(reason: DenyReason) -> Unverifiable {
        Unverifiable::Refuse(reason)
    }
}

/// Verifies `token`, in this order: issuer, `typ`, algorithm, key, claims, signature, audience,
/// lifetime. Claims are read before the signature is checked, and believed after.
///
/// # Errors
/// [`Unverifiable`]: the first check that failed.
pub fn verify(
    token: &UnverifiedToken<'_>,
    config: &Config,
    keys: &KeyRing,
) -> Result<VerifiedToken, Unverifiable> {
    let unverified_issuer = token.unverified_issuer().ok_or(DenyReason::ClaimMissing)?;
    let (index, issuer) = config
        .issuers
        .iter()
        .enumerate()
        .find(|(_, issuer)| issuer.issuer == unverified_issuer)
        .ok_or(DenyReason::IssuerUnknown)?;
    if !issuer.typ.iter().any(|typ| typ == token.unverified_media_type()) {
        return Err(DenyReason::TokenType.into());
    }
    let algorithm = Algorithm::from_name(token.unverified_alg())
        .filter(|algorithm| issuer.algorithms.contains(algorithm))
        .ok_or(DenyReason::AlgorithmNotAllowed)?;
    let key = match keys.find(index, token.unverified_kid()) {
        Lookup::Found(key) => key,
        Lookup::Unknown => return Err(DenyReason::KeyUnknown.into()),
        Lookup::AskSource => return Err(Unverifiable::FetchKeys(index)),
    };
    if !key.allows(algorithm) {
        return Err(DenyReason::AlgorithmNotAllowed.into());
    }
    let claims = Claims::from_json(token.unverified_payload()).map_err(|error| {
        let reason = reason_of(error);
        if !key.has_signed(algorithm, token.text(), Some(token.unverified_typ())) {
            return Unverifiable::Refuse(reason);
        }
        let why = format!("{error}: that is the issuer's mistake, and another token does not help");
        Unverifiable::RefuseSigned(reason, why)
    })?;
    let signature = key
        .verify(algorithm, token.text(), token.unverified_typ())
        .ok_or(DenyReason::SignatureInvalid)?;
    if !claims.aud.iter().any(|audience| issuer.audiences.contains(audience)) {
        let why = format!(
            "the token is for {}, and this proxy takes tokens for {}: ask for one for this environment",
            listed(&claims.aud),
            listed(&issuer.audiences),
        );
        return Err(Unverifiable::RefuseSigned(DenyReason::AudienceMismatch, why));
    }
    let verified = VerifiedToken { claims, issuer: index, _signature: signature };
    if verified.lifetime() > issuer.max_lifetime {
        let why = format!(
            "the token lives for {}, and this proxy takes none of its issuer that lives for more than {}",
            format_duration(verified.lifetime()),
            format_duration(issuer.max_lifetime),
        );
        return Err(Unverifiable::RefuseSigned(DenyReason::LifetimeExceeded, why));
    }
    Ok(verified)
}

fn reason_of(error: InvalidClaims) -> DenyReason {
    match error {
        InvalidClaims::Missing(_) => DenyReason::ClaimMissing,
        InvalidClaims::Invalid(_) | InvalidClaims::NotAnObject => DenyReason::ClaimInvalid,
    }
}

/// Names for a person, as many as one answer may have.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(MAX_LISTED).map(|name| format!("`{}`", name.escape_debug()));
    let mut shown: Vec<String> = shown.collect();
    if names.len() > MAX_LISTED {
        shown.push("..".to_owned());
    }
    shown.join(", ")
}

impl VerifiedToken {
    /// The claims, which the issuer signed.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The index of the issuer in the configuration.
    #[must_use]
    pub fn issuer(&self) -> usize {
        self.issuer
    }

    /// `exp - iat`; zero when `exp` is not after `iat`.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(self.claims.exp.saturating_sub(self.claims.iat))
    }

    /// The instant at which the token is void even on the slowest clock we allow for.
    ///
    /// INVARIANT (skew): revocations are kept until this instant.
    #[must_use]
    pub fn void_at(&self, skew: Duration) -> Instant {
        Instant::from_seconds(self.claims.exp).after(skew)
    }

    /// Whether the token is valid `now` (RFC 7519 sections 4.1.4 to 4.1.6).
    ///
    /// # Errors
    /// [`DenyReason::TokenNotYetValid`] or [`DenyReason::TokenExpired`].
    pub fn check_time(&self, now: Instant, skew: Duration) -> Result<(), DenyReason> {
        let latest_start = self.claims.nbf.unwrap_or(0).max(self.claims.iat);
        if now.after(skew) < Instant::from_seconds(latest_start) {
            return Err(DenyReason::TokenNotYetValid);
        }
        if now >= self.void_at(skew) || self.claims.exp <= self.claims.iat {
            return Err(DenyReason::TokenExpired);
        }
        Ok(())
    }
}
