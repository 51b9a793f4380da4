//! A JSON Web Key Set (RFC 7517 section 5).

use std::collections::BTreeMap;

use crate::claims::MAX_NAME_BYTES;
use crate::json::Json;

use super::{Algorithm, PublicKey};

/// The most keys in one set: rotation needs two or three, and every one costs memory in every VM.
pub(crate) const MAX_KEYS: usize = 64;

/// The keys of one issuer by `kid`; never empty.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: BTreeMap<String, PublicKey>,
    /// What was read, to tell whether a later set differs.
    source: Json,
}

/// Why a key set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwks {
    /// Not an object with a list `keys`.
    #[error("expected an object with a list `keys`")]
    NotAJwks,
    /// No key in it can verify a token.
    #[error(
        "no usable key: expected at least one with `kid` and a `kty` of EC (P-256, P-384), OKP (Ed25519) or RSA"
    )]
    NoUsableKey,
    /// Two keys have one `kid`.
    #[error("two keys have the kid `{0}`")]
    DuplicatedKid(String),
    /// More keys than [`MAX_KEYS`].
    #[error("more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// A key of the configuration itself cannot be used.
    #[error("{1}")]
    UnusableKey(usize, &'static str),
}

impl KeySet {
    /// Reads a key set that an issuer published: keys that cannot be used are skipped, as RFC 7517
    /// section 5 asks.
    ///
    /// # Errors
    /// [`InvalidJwks`] when no key is left, or when it is ambiguous which key a `kid` names.
    pub fn read_remote(json: &Json) -> Result<KeySet, InvalidJwks> {
        KeySet::read(json, |_, _| Ok(()))
    }

    /// Reads a key set that somebody wrote into the configuration: every key must be usable, and
    /// none may be private.
    ///
    /// # Errors
    /// [`InvalidJwks`] names the key.
    pub fn read_inline(json: &Json) -> Result<KeySet, InvalidJwks> {
        KeySet::read(json, |index, why| Err(InvalidJwks::UnusableKey(index, why)))
    }

    fn read(
        json: &Json,
        unusable: impl Fn(usize, &'static str) -> Result<(), InvalidJwks>,
    ) -> Result<KeySet, InvalidJwks> {
        let jwks = json.member("keys").and_then(Json::as_array).ok_or(InvalidJwks::NotAJwks)?;
        if jwks.len() > MAX_KEYS {
            return Err(InvalidJwks::TooManyKeys);
        }
        let mut keys = BTreeMap::new();
        for (index, jwk) in jwks.iter().enumerate() {
            match read_key(jwk) {
                Ok((kid, key)) => {
                    if keys.insert(kid.clone(), key).is_some() {
                        return Err(InvalidJwks::DuplicatedKid(kid));
                    }
                }
                Err(why) => unusable(index, why)?,
            }
        }
        if keys.is_empty() {
            return Err(InvalidJwks::NoUsableKey);
        }
        Ok(KeySet { keys, source: json.clone() })
    }

    /// The key with this `kid`.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.get(kid)
    }

    /// Whether some key may be used with one of `algorithms`.
    #[must_use]
    pub fn serves_one_of(&self, algorithms: &[Algorithm]) -> bool {
        self.keys.values().any(|key| algorithms.iter().any(|algorithm| key.allows(*algorithm)))
    }

    /// Whether both were read from the same JSON.
    #[must_use]
    pub fn is_same(&self, other: &KeySet) -> bool {
        self.source == other.source
    }
}

/// The `kid` and the key of one JWK, or why it cannot be used.
fn read_key(jwk: &Json) -> Result<(String, PublicKey), &'static str> {
    let member = |name: &str| jwk.member(name).and_then(Json::as_str);
    let Some(kid) = member("kid").filter(|kid| !kid.is_empty() && kid.len() <= MAX_NAME_BYTES)
    else {
        return Err("expected a `kid`");
    };
    if ["d", "k", "p", "q"].iter().any(|name| jwk.member(name).is_some()) {
        return Err("holds private key material: publish the public members only");
    }
    if jwk.member("use").is_some_and(|purpose| purpose.as_str() != Some("sig")) {
        return Err("expected `use` to be \"sig\"");
    }
    if let Some(operations) = jwk.member("key_ops")
        && !operations.as_array().is_some_and(|operations| {
            operations.iter().any(|operation| operation.as_str() == Some("verify"))
        })
    {
        return Err("expected `key_ops` to hold \"verify\"");
    }
    let alg = match jwk.member("alg") {
        None => None,
        Some(name) => match name.as_str().and_then(Algorithm::from_name) {
            Some(alg) => Some(alg),
            None => {
                return Err("expected `alg` to be ES256, ES384, EdDSA, RS256 or PS256");
            }
        },
    };
    match PublicKey::from_jwk(jwk, alg) {
        Some(key) => Ok((kid.to_owned(), key)),
        None => Err(
            "expected a public key of kty EC (P-256, P-384), OKP (Ed25519) or RSA that fits its `alg`",
        ),
    }
}
