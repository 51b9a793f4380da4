//! Mints tokens, publishes the keys that prove them, and reads its own tokens back.

mod access;
mod audience_keys;
mod error;
mod key_name;
mod key_ring;
mod keys;
mod provider_session_key;
mod ring;
mod rings;
mod secret_files;
mod trail_keys;
mod trail_since;
mod wrapping;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_api::jwks::{Jwk, Jwks};
use breakglass_types::challenge::ChallengeClaims;
use breakglass_types::claims::{Claims, InvalidClaims};
use breakglass_types::json::Json;
use breakglass_types::names::PROBE_TYPE;
pub use breakglass_types::names::TOKEN_TYPE;
use jwt_simple::prelude::{
    ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, HeaderOptions, JWTClaims, NoCustomClaims, Token,
    UnixTimeStamp, VerificationOptions,
};
use serde_json::Value;

use crate::clock::Moment;
use crate::limits::MAX_TOKEN_BYTES;
pub(crate) use access::check_shared_file;
use audience_keys::AudienceKeys;
pub use error::KeyError;
pub use key_name::KeyName;
use key_ring::SigningKey;
pub use keys::{KeyDirectory, KeyState};
pub use provider_session_key::ProviderSessionKey;
pub use ring::Ring;
pub use rings::{FirstKey, Rings};
pub use trail_keys::TrailKeys;

/// Why no token was minted.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The claims could not be written or signed.
    #[error("signing failed: {0}")]
    Sign(#[from] jwt_simple::Error),
    /// The filter would not read the claims.
    #[error("the claims would not be read: {0}")]
    Unreadable(#[from] InvalidClaims),
    /// A token is for one audience, whose keys sign it.
    #[error("expected one audience, got {0}")]
    Audiences(usize),
    /// The token is larger than a filter accepts.
    #[error("the token is {0} bytes long; filters accept {MAX_TOKEN_BYTES}")]
    TooLarge(usize),
}

/// A token, and the key that signed it.
#[derive(Debug)]
pub struct Minted {
    /// The JWS in compact form: a secret.
    pub token: String,
    /// The key's id.
    pub kid: String,
}

/// Holds the signing keys.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    rings: RwLock<Arc<Rings>>,
}

impl Issuer {
    /// An issuer called `name` with these keys.
    #[must_use]
    pub fn new(name: &str, rings: Rings) -> Issuer {
        Issuer { name: name.to_owned(), rings: RwLock::new(Arc::new(rings)) }
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rings of its keys as they are configured now.
    #[must_use]
    pub fn rings(&self) -> Arc<Rings> {
        Arc::clone(&self.rings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ring of all audiences that have no keys of their own.
    #[must_use]
    pub fn default_ring(&self) -> Arc<Ring> {
        Arc::clone(self.rings().default_ring())
    }

    /// Takes the rings of another configuration.
    pub fn take(&self, rings: Rings) {
        *self.rings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rings);
    }

    /// The public keys of the default ring (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self, now: Moment) -> Jwks {
        set(self.default_ring().keys().published(now))
    }

    /// The public keys that prove tokens of these audiences.
    #[must_use]
    pub fn jwks_for(&self, audiences: &[String], now: Moment) -> Jwks {
        let rings = self.rings();
        let keys: Vec<AudienceKeys> = audiences.iter().map(|one| rings.keys_for(one)).collect();
        set(keys.iter().flat_map(|keys| keys.published(now)))
    }

    /// The ids of the keys that a proxy needs to verify tokens of these audiences; nothing for those of all audiences.
    #[must_use]
    pub fn kids_for(&self, audiences: Option<&[String]>, now: Moment) -> Vec<String> {
        let jwks = match audiences {
            Some(audiences) => self.jwks_for(audiences, now),
            None => {
                let keys: Vec<_> = self.rings().all().map(|ring| ring.keys()).collect();
                set(keys.iter().flat_map(|keys| keys.published(now)))
            }
        };
        jwks.keys.into_iter().map(|key| key.kid).collect()
    }

    /// Signs `claims` with the key whose turn it is for their audience.
    ///
    /// # Errors
    /// [`MintError`] where the filter would not accept the token: better no token than a void one.
    pub fn mint(&self, claims: &Claims) -> Result<Minted, MintError> {
        let payload = serde_json::to_vec(claims).map_err(jwt_simple::Error::from)?;
        let read = Json::parse(&payload).map_err(|_| InvalidClaims::NotAnObject)?;
        if Claims::from_json(&read)? != *claims {
            return Err(InvalidClaims::NotAnObject.into());
        }
        let [audience] = claims.aud.as_slice() else {
            return Err(MintError::Audiences(claims.aud.len()));
        };
        let options = HeaderOptions {
            signature_type: Some(TOKEN_TYPE.to_owned()),
            ..HeaderOptions::default()
        };
        let keys = self.rings().keys_for(audience);
        let signer = keys.signer();
        let token = signer.pair.sign_with_options(only(claims), &options)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(MintError::TooLarge(token.len()));
        }
        Ok(Minted { token, kid: signer.name.kid.clone() })
    }

    /// Signs a challenge for `breakglass probe`, which is over at `ends`, for proxies with the keys of this audience;
    /// nothing for those with the keys of the default ring.
    ///
    /// # Errors
    /// [`MintError`] if it cannot be signed, or no filter would take it.
    pub fn mint_challenge(
        &self,
        audience: Option<&str>,
        now: Moment,
        ends: Moment,
        id: &str,
    ) -> Result<String, MintError> {
        let instant = |at: Moment| u64::try_from(at.seconds()).unwrap_or_default();
        let claims = ChallengeClaims::new(&self.name, id, instant(now), instant(ends))
            .ok_or(InvalidClaims::NotAnObject)?;
        let options = HeaderOptions {
            signature_type: Some(PROBE_TYPE.to_owned()),
            ..HeaderOptions::default()
        };
        let rings = self.rings();
        let keys = match audience {
            Some(audience) => rings.keys_for(audience),
            None => AudienceKeys::new(None, rings.default_ring()),
        };
        Ok(keys.challenger(now).pair.sign_with_options(only(&claims), &options)?)
    }

    /// The claims of `token`, if it is one of ours, signed by a key that is still published for each audience that it
    /// names. Whether its time has come or gone is for the caller to say: by the service's clock.
    #[must_use]
    pub fn read(&self, token: &str, now: Moment) -> Option<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let metadata = Token::decode_metadata(token).ok()?;
        let kid = metadata.key_id()?;
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        let unverified = Claims::from_json(&Json::parse(&payload).ok()?).ok()?;
        let rings = self.rings();
        // Of each audience: a key of one ring proves no token of another.
        let keys = unverified.aud.iter().map(|audience| {
            let keys = rings.keys_for(audience);
            keys.published(now).into_iter().find(|key| key.name.kid == kid).map(Arc::clone)
        });
        let key = keys.collect::<Option<Vec<_>>>()?.into_iter().next()?;
        let options = VerificationOptions {
            // Long ago, so that no token is over, and any future is accepted.
            accept_future: true,
            artificial_time: Some(UnixTimeStamp::from_secs(0)),
            time_tolerance: None,
            required_signature_type: Some(TOKEN_TYPE.to_owned()),
            allowed_issuers: Some(HashSet::from([self.name.clone()])),
            max_token_length: Some(MAX_TOKEN_BYTES),
            ..VerificationOptions::default()
        };
        key.public.verify_token::<NoCustomClaims>(token, Some(options)).ok()?;
        Some(unverified)
    }
}

/// Each key once.
fn set<'a>(published: impl IntoIterator<Item = &'a Arc<SigningKey>>) -> Jwks {
    let mut keys: Vec<Jwk> = Vec::new();
    for key in published {
        if !keys.iter().any(|known| known.kid == key.name.kid) {
            keys.extend(jwk(&key.public.to_jwk()));
        }
    }
    Jwks { keys }
}

/// The claims and nothing of the library's own.
fn only<T>(claims: &T) -> JWTClaims<&T> {
    JWTClaims {
        issued_at: None,
        expires_at: None,
        invalid_before: None,
        issuer: None,
        subject: None,
        audiences: None,
        jwt_id: None,
        nonce: None,
        custom: claims,
    }
}

fn jwk(text: &str) -> Option<Jwk> {
    let mut jwk: Value = serde_json::from_str(text).ok()?;
    let members = jwk.as_object_mut()?;
    members.insert("alg".to_owned(), "ES256".into());
    members.insert("use".to_owned(), "sig".into());
    serde_json::from_value(jwk).ok()
}
