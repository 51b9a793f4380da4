//! A board, and tokens under a key of the tests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::config::Config;
use crate::sharing::{Board, Version, Written};
use crate::token::{KeyRing, UnverifiedToken, VerifiedToken, verify};

/// The board of one proxy.
#[derive(Debug, Default)]
pub(crate) struct FakeBoard(RefCell<HashMap<String, (Vec<u8>, Version)>>);

impl Board for FakeBoard {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0.borrow().get(key).cloned()
    }

    fn write(&self, key: &str, value: &[u8], expected: Option<Version>) -> Written {
        let mut values = self.0.borrow_mut();
        let there = values.get(key).map(|(_, version)| *version);
        if expected != there {
            return Written::Conflict;
        }
        values.insert(key.to_owned(), (value.to_vec(), there.unwrap_or_default().wrapping_add(1)));
        Written::Done
    }
}

/// A public key; the same number is the same key.
pub(crate) fn jwk(number: u8) -> Value {
    let point = key(number).verifying_key().to_sec1_point(false);
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "kid": format!("key-{number}"), "alg": "ES256",
        "x": b64(point.x().unwrap()), "y": b64(point.y().unwrap())})
}

/// A token of the configuration's first issuer for its first audience and scope, signed with this key and valid from
/// `began` on for an hour: its text, and the token.
pub(crate) fn token(
    config: &Config,
    number: u8,
    jti: &str,
    began: u64,
) -> (String, Rc<VerifiedToken>) {
    let issuer = &config.issuers[0];
    let header = json!({"alg": "ES256", "kid": format!("key-{number}"), "typ": "breakglass+jwt"});
    let claims = json!({"iss": issuer.issuer, "aud": issuer.audiences.first(), "sub": "alice",
        "iat": began, "exp": began.saturating_add(3600), "jti": jti, "scope": "a",
        "breakglass": {"reason": "pager", "approvers": ["bob"]}});
    let parts = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let input = parts.join(".");
    let signature: Signature = key(number).sign(input.as_bytes());
    let text = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    let unverified = UnverifiedToken::parse(text.as_bytes(), text.len()).unwrap();
    let token = verify(&unverified, config, &KeyRing::new(config)).unwrap();
    (text, Rc::new(token))
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}
