//! From an unverified token to a verified one.

use std::time::Duration;

use crate::claims::{Claims, InvalidClaims};
use crate::config::{Config, Issuer};
use crate::instant::{Instant, format_duration};
use crate::reason::DenyReason;

use super::{Algorithm, KeyRing, Lookup, PublicKey, Thumbprint, UnverifiedToken, ValidSignature};

/// The most audiences that one answer names.
const MAX_LISTED: usize = 4;

/// A token that a configured issuer signed, for one of our audiences and within the issuer's
/// `max_lifetime`. Whether its time has come, and not passed, is asked at each use.
#[derive(Debug)]
pub struct VerifiedToken {
    claims: Claims,
    issuer: usize,
    media_type: String,
    algorithm: Algorithm,
    kid: String,
    key: Thumbprint,
    _signature: ValidSignature,
}

/// What a token says of itself that decides which key may have signed it.
struct Form<'a> {
    issuer: &'a str,
    media_type: &'a str,
    /// `None` is one that no configuration can allow.
    algorithm: Option<Algorithm>,
    kid: &'a str,
}

/// The key that may have signed a token, and under whose rules.
struct Found<'c> {
    index: usize,
    issuer: &'c Issuer,
    algorithm: Algorithm,
    /// `None` where nobody can say yet: the issuer's source was not asked, or does not know it.
    key: Option<&'c PublicKey>,
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
    let found = Form {
        issuer: token.unverified_issuer().ok_or(DenyReason::ClaimMissing)?,
        media_type: token.unverified_media_type(),
        algorithm: Algorithm::from_name(token.unverified_alg()),
        kid: token.unverified_kid(),
    }
    .find_key(config, keys)?;
    let Found { index, issuer, algorithm, key } = found;
    let key = key.ok_or(Unverifiable::FetchKeys(index))?;
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
    check_bounds(&claims, issuer)?;
    Ok(VerifiedToken {
        claims,
        issuer: index,
        media_type: token.unverified_media_type().to_owned(),
        algorithm,
        kid: token.unverified_kid().to_owned(),
        key: key.thumbprint(),
        _signature: signature,
    })
}

impl Form<'_> {
    /// Issuer, `typ`, algorithm, key.
    fn find_key<'c>(
        &self,
        config: &'c Config,
        keys: &'c KeyRing,
    ) -> Result<Found<'c>, Unverifiable> {
        let mut issuers = config.issuers.iter().enumerate();
        let (index, issuer) = issuers
            .find(|(_, issuer)| issuer.issuer == self.issuer)
            .ok_or(DenyReason::IssuerUnknown)?;
        if !issuer.typ.iter().any(|typ| typ == self.media_type) {
            return Err(DenyReason::TokenType.into());
        }
        let algorithm = self
            .algorithm
            .filter(|algorithm| issuer.algorithms.contains(algorithm))
            .ok_or(DenyReason::AlgorithmNotAllowed)?;
        let key = match keys.find(index, self.kid) {
            Lookup::Found(key) => Some(key),
            Lookup::Unknown => return Err(DenyReason::KeyUnknown.into()),
            Lookup::AskSource => None,
        };
        Ok(Found { index, issuer, algorithm, key })
    }
}

/// Audience, lifetime.
fn check_bounds(claims: &Claims, issuer: &Issuer) -> Result<(), Unverifiable> {
    if !claims.aud.iter().any(|audience| issuer.audiences.contains(audience)) {
        let why = format!(
            "the token is for {}, and this proxy takes tokens for {}: ask for one for this environment",
            listed(&claims.aud),
            listed(&issuer.audiences),
        );
        return Err(Unverifiable::RefuseSigned(DenyReason::AudienceMismatch, why));
    }
    if lifetime(claims) > issuer.max_lifetime {
        let why = format!(
            "the token lives for {}, and this proxy takes none of its issuer that lives for more than {}",
            format_duration(lifetime(claims)),
            format_duration(issuer.max_lifetime),
        );
        return Err(Unverifiable::RefuseSigned(DenyReason::LifetimeExceeded, why));
    }
    Ok(())
}

fn lifetime(claims: &Claims) -> Duration {
    Duration::from_secs(claims.exp.saturating_sub(claims.iat))
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
        lifetime(&self.claims)
    }

    /// Verifies the token anew under another configuration, in the order of [`verify`]. The signature is not computed
    /// again: it is the one that was checked if the configuration has the very key that made it.
    ///
    /// What the configuration says is known; what an issuer publishes is not, and a key that leaves a published set
    /// was rotated out: the tokens that it signed are good for as long as they live. So a token passes whose issuer
    /// has a remote source that may have its key. A key that is in no list of the configuration, and can come from
    /// nowhere, was taken out on purpose, and counts no more.
    ///
    /// # Errors
    /// [`Unverifiable`]: the first check that failed; never [`Unverifiable::FetchKeys`].
    pub fn verify_again(&self, config: &Config, keys: &KeyRing) -> Result<(), Unverifiable> {
        let form = Form {
            issuer: &self.claims.iss,
            media_type: &self.media_type,
            algorithm: Some(self.algorithm),
            kid: &self.kid,
        };
        let Found { index, issuer, algorithm, key } = form.find_key(config, keys)?;
        match key {
            Some(key) if key.thumbprint() == self.key => {
                if !key.allows(algorithm) {
                    return Err(DenyReason::AlgorithmNotAllowed.into());
                }
            }
            // Another one under the same `kid`: its source may publish the right one.
            Some(_) if !keys.has_source(index) => return Err(DenyReason::KeyUnknown.into()),
            Some(_) | None => {}
        }
        check_bounds(&self.claims, issuer)
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
