//! From the bytes in a request's header to a challenge that an issuer of ours has signed.

use breakglass_types::challenge::{ChallengeClaims, MAX_CHALLENGE_BYTES};
use breakglass_types::names::PROBE_TYPE;

use crate::config::Config;
use crate::instant::Instant;
use crate::token::{Algorithm, KeyRing, Lookup, UnverifiedToken};

/// A challenge that a configured issuer has signed, and whose time it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The whole JWT.
    pub text: String,
    /// Its id: ASCII letters, digits, `_` and `-`.
    pub jti: String,
}

impl Challenge {
    /// Verifies `bytes`: what costs nothing first, the signature last. The keys are those that are known: for a
    /// challenge no source is asked.
    #[must_use]
    pub(crate) fn verify(
        bytes: &[u8],
        config: &Config,
        keys: &KeyRing,
        now: Instant,
    ) -> Option<Challenge> {
        let token = UnverifiedToken::parse(bytes, MAX_CHALLENGE_BYTES).ok()?;
        if token.unverified_media_type() != PROBE_TYPE {
            return None;
        }
        let name = token.unverified_issuer()?;
        let issuers = config.issuers.iter().enumerate();
        let (index, issuer) = issuers.into_iter().find(|(_, one)| one.issuer == name)?;
        let ChallengeClaims { jti, iat, exp, .. } =
            ChallengeClaims::from_json(token.unverified_payload())?;
        let begins = Instant::from_seconds(iat);
        let ends = Instant::from_seconds(exp).after(config.clock_skew);
        let is_now = begins <= now.after(config.clock_skew) && now < ends;
        if !is_now {
            return None;
        }
        let algorithm = Algorithm::from_name(token.unverified_alg())
            .filter(|algorithm| issuer.algorithms.contains(algorithm))?;
        let Lookup::Found(key) = keys.find(index, token.unverified_kid()) else { return None };
        key.verify(algorithm, token.text(), token.unverified_typ())?;
        Some(Challenge { text: token.text().to_owned(), jti })
    }
}
