//! Keys that sign tokens, and how they are published: by *ring*, not by the filter's library.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair};
use ring::signature::{RsaEncoding, RsaKeyPair};
use serde_json::{Value, json};

/// An RSA key that is used nowhere but here; *ring* signs with RSA keys and makes none.
const RSA: &[u8] = include_bytes!("../fixtures/rsa-2048.pk8");

/// A signing key with its `kid`.
pub struct Key {
    kid: String,
    pair: Pair,
}

enum Pair {
    P256 { fixed: EcdsaKeyPair, der: Box<EcdsaKeyPair> },
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    /// A new P-256 key, for `ES256`.
    #[must_use]
    pub fn es256(kid: &str) -> Key {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            &SystemRandom::new(),
        );
        Key::p256(kid, pkcs8.unwrap().as_ref())
    }

    /// The P-256 key in this PKCS#8 document, as the approval service keeps its own (PEM).
    ///
    /// # Panics
    /// When there is none in it.
    #[must_use]
    pub fn of_pem(kid: &str, pem: &str) -> Key {
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let pkcs8 = STANDARD.decode(base64).unwrap();
        Key::p256(kid, &pkcs8)
    }

    fn p256(kid: &str, pkcs8: &[u8]) -> Key {
        let pair = |algorithm| ecdsa(algorithm, pkcs8);
        let fixed = pair(&signature::ECDSA_P256_SHA256_FIXED_SIGNING);
        let der = Box::new(pair(&signature::ECDSA_P256_SHA256_ASN1_SIGNING));
        Key { kid: kid.to_owned(), pair: Pair::P256 { fixed, der } }
    }

    /// A new P-384 key, for `ES384`.
    #[must_use]
    pub fn es384(kid: &str) -> Key {
        let algorithm = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Key { kid: kid.to_owned(), pair: Pair::P384(ecdsa(algorithm, pkcs8.as_ref())) }
    }

    /// A new Ed25519 key, for `EdDSA`.
    #[must_use]
    pub fn eddsa(kid: &str) -> Key {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Key { kid: kid.to_owned(), pair: Pair::Ed25519(pair) }
    }

    /// The RSA key, for `RS256` and `PS256`.
    #[must_use]
    pub fn rsa(kid: &str) -> Key {
        Key { kid: kid.to_owned(), pair: Pair::Rsa(RsaKeyPair::from_pkcs8(RSA).unwrap()) }
    }

    /// The key's id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm that this key signs with unless another is asked for.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::P256 { .. } => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed25519(_) => "EdDSA",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// Signs as JWS wants it; an RSA key signs `PS256` if `algorithm` says so.
    #[must_use]
    pub fn sign(&self, algorithm: &str, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256 { fixed: key, .. } | Pair::P384(key) => {
                key.sign(&random, input).unwrap().as_ref().to_vec()
            }
            Pair::Ed25519(key) => key.sign(input).as_ref().to_vec(),
            Pair::Rsa(key) => {
                let padding: &dyn RsaEncoding = match algorithm {
                    "PS256" => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, input, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Signs with a P-256 key as X.509 wants it and JWS forbids it: in DER.
    ///
    /// # Panics
    /// When the key is of another type.
    #[must_use]
    pub fn sign_der(&self, input: &[u8]) -> Vec<u8> {
        let Pair::P256 { der, .. } = &self.pair else { panic!("a P-256 key") };
        der.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec()
    }

    /// The public key's bytes: what an attacker uses as an HMAC secret.
    #[must_use]
    pub fn public_bytes(&self) -> &[u8] {
        match &self.pair {
            Pair::P256 { fixed: key, .. } | Pair::P384(key) => key.public_key().as_ref(),
            Pair::Ed25519(key) => key.public_key().as_ref(),
            Pair::Rsa(key) => key.public_key().as_ref(),
        }
    }

    /// The public key as a JWK (RFC 7517).
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::P256 { fixed: key, .. } => point("P-256", key.public_key().as_ref()),
            Pair::P384(key) => point("P-384", key.public_key().as_ref()),
            Pair::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(key.public_key().as_ref())})
            }
            Pair::Rsa(key) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({"kty": "RSA", "n": base64url(&public.n), "e": base64url(&public.e)})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }
}

/// A key set (RFC 7517 section 5).
#[must_use]
pub fn jwks(keys: &[&Key]) -> Value {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()})
}

/// base64url without padding, as JOSE uses it.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm, pkcs8: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new()).unwrap()
}

/// An uncompressed point is `4`, then x and y of equal length (SEC 1 section 2.3.3).
fn point(curve: &str, uncompressed: &[u8]) -> Value {
    let (x, y) = uncompressed[1..].split_at(uncompressed.len() / 2);
    json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
}
