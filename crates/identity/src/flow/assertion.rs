//! A client's assertion: a JWT that it signs to prove who it is (RFC 7523 section 3, `private_key_jwt`).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_types::instant::Instant;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::json;

use crate::error::ProviderError;
use crate::limits::ASSERTION_LIFETIME_S;
use crate::pem;

/// A private key, and the algorithm that it signs by.
enum Key {
    Ecdsa(&'static str, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// Signs an assertion of `client_id` for `audience` alone: a provider refuses one for two, or from the future.
pub(super) fn sign(
    file: &Path,
    kid: &str,
    client_id: &str,
    audience: &str,
    jti: &[u8; 32],
    now: Instant,
) -> Result<String, ProviderError> {
    let key = Key::read(file)?;
    let header = json!({"alg": key.algorithm(), "typ": "JWT", "kid": kid});
    let claims = json!({
        "iss": client_id, "sub": client_id, "aud": audience, "jti": URL_SAFE_NO_PAD.encode(jti),
        "iat": now.seconds(), "exp": now.seconds().saturating_add(ASSERTION_LIFETIME_S),
    });
    let encode = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", encode(header), encode(claims));
    let signature = key
        .sign(text.as_bytes())
        .ok_or_else(|| ProviderError::Local(format!("{}: the key cannot sign", file.display())))?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

impl Key {
    fn read(file: &Path) -> Result<Key, ProviderError> {
        let key = pem::private_key(file)?;
        Key::from_pkcs8(key.der()).ok_or_else(|| {
            ProviderError::Local(format!(
                "{}: expected a private key of P-256, P-384, Ed25519 or RSA (2048 bits or more) as PKCS #8 \
                 (`-----BEGIN PRIVATE KEY-----`)",
                file.display()
            ))
        })
    }

    fn from_pkcs8(der: &[u8]) -> Option<Key> {
        let ecdsa = |name: &'static str, algorithm: &'static EcdsaSigningAlgorithm| {
            let key = EcdsaKeyPair::from_pkcs8(algorithm, der, &SystemRandom::new()).ok()?;
            Some(Key::Ecdsa(name, key))
        };
        ecdsa("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING)
            .or_else(|| ecdsa("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING))
            .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Key::Ed25519))
            .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(Key::Rsa))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Key::Ecdsa(name, _) => name,
            Key::Ed25519(_) => "EdDSA",
            Key::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Key::Ecdsa(_, key) => Some(key.sign(&random, text).ok()?.as_ref().to_vec()),
            Key::Ed25519(key) => Some(key.sign(text).as_ref().to_vec()),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}
