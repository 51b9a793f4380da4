//! Mints tokens, publishes the keys that prove them, and reads its own tokens back.

mod access;
mod error;
mod key_name;
mod key_ring;
mod keys;
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
pub use error::KeyError;
pub use key_name::KeyName;
use key_ring::KeyRing;
pub use keys::{KeyDirectory, KeyState};
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
pub struct Issuer {
    name: String,
    directory: KeyDirectory,
    ring: RwLock<Arc<KeyRing>>,
}

impl Issuer {
    /// An issuer called `name` with the keys in `directory`.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory, or no key in it can be used.
    pub fn new(name: &str, directory: KeyDirectory) -> Result<Issuer, KeyError> {
        let ring = RwLock::new(Arc::new(directory.read(None)?));
        Ok(Issuer { name: name.to_owned(), directory, ring })
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its keys are.
    #[must_use]
    pub fn directory(&self) -> &KeyDirectory {
        &self.directory
    }

    /// Reads the keys again. If that fails, those that it has stay in use; so does a key that it has and whose
    /// file is still there and cannot be used any more.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory, or no key in it can be used.
    pub fn reload(&self) -> Result<(), KeyError> {
        let ring = Arc::new(self.directory.read(Some(&self.ring()))?);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    /// How many key files are in use, and how many are there that cannot be used.
    #[must_use]
    pub fn key_files(&self) -> (usize, usize) {
        let ring = self.ring();
        (ring.count().saturating_sub(ring.kept()), ring.unusable())
    }

    /// The public keys (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self, now: Moment) -> Jwks {
        let ring = self.ring();
        let keys = ring.published(now).into_iter().filter_map(|key| jwk(&key.public.to_jwk()));
        Jwks { keys: keys.collect() }
    }

    /// The first key that waits to sign, by the files as they were last read.
    #[must_use]
    pub fn waits(&self) -> Option<KeyName> {
        self.ring().waits().cloned()
    }

    /// Ends the wait of a key: its turn to sign begins at this second. Where the directory cannot be written, that is kept
    /// in memory alone: after a restart the key waits once more.
    ///
    /// # Errors
    /// [`KeyError`] if its file could not be renamed. It signs all the same.
    pub fn switch(&self, name: &KeyName, at: i64) -> Result<(), KeyError> {
        let renamed = self.directory.switch(name, at);
        let ring = Arc::new(self.ring().switched(&name.kid, at));
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        renamed.map(drop)
    }

    /// Signs `claims` with the key whose turn it is.
    ///
    /// # Errors
    /// [`MintError`] where the filter would not accept the token: better no token than a void one.
    pub fn mint(&self, claims: &Claims) -> Result<Minted, MintError> {
        let payload = serde_json::to_vec(claims).map_err(jwt_simple::Error::from)?;
        let read = Json::parse(&payload).map_err(|_| InvalidClaims::NotAnObject)?;
        if Claims::from_json(&read)? != *claims {
            return Err(InvalidClaims::NotAnObject.into());
        }
        let ring = self.ring();
        let options = HeaderOptions {
            signature_type: Some(TOKEN_TYPE.to_owned()),
            ..HeaderOptions::default()
        };
        let signer = ring.signer();
        let token = signer.pair.sign_with_options(only(claims), &options)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(MintError::TooLarge(token.len()));
        }
        Ok(Minted { token, kid: signer.name.kid.clone() })
    }

    /// Signs a challenge for `breakglass probe`, which is over at `ends`.
    ///
    /// # Errors
    /// [`MintError`] if it cannot be signed, or no filter would take it.
    pub fn mint_challenge(&self, now: Moment, ends: Moment, id: &str) -> Result<String, MintError> {
        let instant = |at: Moment| u64::try_from(at.seconds()).unwrap_or_default();
        let claims = ChallengeClaims::new(&self.name, id, instant(now), instant(ends))
            .ok_or(InvalidClaims::NotAnObject)?;
        let options = HeaderOptions {
            signature_type: Some(PROBE_TYPE.to_owned()),
            ..HeaderOptions::default()
        };
        Ok(self.ring().challenger(now).pair.sign_with_options(only(&claims), &options)?)
    }

    /// The claims of `token`, if it is one of ours, signed by a key that is still published.
    /// Whether its time has come or gone is for the caller to say: by the service's clock.
    #[must_use]
    pub fn read(&self, token: &str, now: Moment) -> Option<Claims> {
        let ring = self.ring();
        let metadata = Token::decode_metadata(token).ok()?;
        let kid = metadata.key_id()?;
        let key = ring.published(now).into_iter().find(|key| key.name.kid == kid)?;
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
        let payload = token.split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        Claims::from_json(&Json::parse(&payload).ok()?).ok()
    }

    fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
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
