//! An issuer that signs what a test wants, with a key of P-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_core::token::KeySet;
use breakglass_identity::{Expectation, TokenError, Verified, verify};
use breakglass_types::json::Json;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::at;

pub(crate) struct TestIssuer {
    key: EcdsaKeyPair,
    pub(crate) kid: String,
}

impl TestIssuer {
    pub(crate) fn new(kid: &str) -> TestIssuer {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        TestIssuer { key, kid: kid.to_owned() }
    }

    pub(crate) fn jwks(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "x": x, "y": y}]})
    }

    pub(crate) fn keys(&self) -> KeySet {
        KeySet::read_remote(&Json::parse(self.jwks().to_string().as_bytes()).unwrap()).unwrap()
    }

    /// Signs these claims as an ID token usually is.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({"alg": "ES256", "typ": "JWT", "kid": self.kid}), claims)
    }

    /// Signs this header and these claims, right or wrong.
    pub(crate) fn sign_with(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Signs an example of a token anew, by this key: all that it says stays, but for `alg` and `kid`.
    pub(crate) fn sign_example(&self, example: &Value) -> String {
        let mut header = example["header"].clone();
        header["alg"] = "ES256".into();
        header["kid"] = self.kid.clone().into();
        self.sign_with(&header, &example["payload"])
    }

    pub(crate) fn verify<E: Expectation>(
        &self,
        token: &str,
        expected: &E,
        now: u64,
    ) -> Result<Verified<E::Token>, TokenError> {
        verify(token, expected, &self.keys(), at(now))
    }
}
