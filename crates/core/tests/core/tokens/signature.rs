//! How a token is signed: by the key that it names and the algorithm of that key, in the one form that there is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::Signature;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::{Judge, header, token, with_header, with_signature};
use crate::support::{Key, b64, claims, config, test, with};

/// The keys of the vectors, of every kind, and an issuer that takes each of them.
fn every_kind() -> (Value, Vec<Value>) {
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/jws.json")).unwrap();
    let mut keys = vectors["jwks"]["keys"].as_array().unwrap().clone();
    keys.push(Key::new(1).jwk());
    let issuer = with(
        config()["issuers"][0].clone(),
        json!({"algorithms": ["ES256", "ES384", "EdDSA", "RS256", "PS256"],
            "jwks": {"inline": {"keys": keys}}}),
    );
    (with(config(), json!({"issuers": [issuer]})), keys)
}

fn mac(alg: &str, secret: &[u8], input: &[u8]) -> Vec<u8> {
    match alg {
        "HS256" => Hmac::<Sha256>::new_from_slice(secret)
            .unwrap()
            .chain_update(input)
            .finalize()
            .into_bytes()
            .to_vec(),
        "HS384" => Hmac::<Sha384>::new_from_slice(secret)
            .unwrap()
            .chain_update(input)
            .finalize()
            .into_bytes()
            .to_vec(),
        _ => Hmac::<Sha512>::new_from_slice(secret)
            .unwrap()
            .chain_update(input)
            .finalize()
            .into_bytes()
            .to_vec(),
    }
}

#[test]
fn no_algorithm_is_no_signature() {
    let mut judge = Judge::new(&config());
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = header(json!({ "alg": alg }));
        judge.disbelieves(with_signature(&header, <[u8]>::to_vec), "algorithm_not_allowed");
        judge.disbelieves(with_signature(&header, |_| Vec::new()), "algorithm_not_allowed");
    }
}

#[test]
fn algorithms_are_spelled_in_one_way() {
    let mut judge = Judge::new(&config());
    for alg in ["es256", "ES256 ", "ES256K", "ES512", "HS256", "RS256", "dir", "ES256\u{0}"] {
        judge.disbelieves(with_header(json!({ "alg": alg })), "algorithm_not_allowed");
    }
}

#[test]
fn an_algorithm_that_is_not_allowed_or_not_the_keys_is_refused_although_the_key_is_known() {
    let (every, keys) = every_kind();
    let mut issuer = every["issuers"][0].clone();
    issuer["algorithms"] = json!(["ES256"]);
    let one = with(config(), json!({"issuers": [issuer]}));
    let (mut every, mut one) = (Judge::new(&every), Judge::new(&one));
    every.permits(token(json!({})));
    one.permits(token(json!({})));
    for (kid, alg) in [("es384", "ES384"), ("eddsa", "EdDSA"), ("rsa", "RS256"), ("rsa", "PS256")] {
        assert!(keys.iter().any(|key| key["kid"] == kid));
        one.disbelieves(with_header(json!({"kid": kid, "alg": alg})), "algorithm_not_allowed");
        // Allowed, and not that of the key.
        every.disbelieves(with_header(json!({ "alg": alg })), "algorithm_not_allowed");
        every.disbelieves(with_header(json!({ "kid": kid })), "algorithm_not_allowed");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let (config, keys) = every_kind();
    let mut judge = Judge::new(&config);
    let number =
        |key: &Value, name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    for (key, own) in keys.iter().filter_map(|key| match key["kty"].as_str().unwrap() {
        "EC" if key["crv"] == "P-256" => Some((key, "ES256")),
        "RSA" => Some((key, "RS256")),
        _ => None,
    }) {
        let point = || [vec![4], number(key, "x"), number(key, "y")].concat();
        let public = if own == "ES256" { point() } else { number(key, "n") };
        for secret in [public, key.to_string().into_bytes()] {
            let sign = |alg: &str, hash: &str| {
                let header = header(json!({"alg": alg, "kid": key["kid"]})).to_string();
                let input = format!("{}.{}", b64(header), b64(claims().to_string()));
                format!("{input}.{}", b64(mac(hash, &secret, input.as_bytes())))
            };
            for alg in ["HS256", "HS384", "HS512"] {
                judge.disbelieves(sign(alg, alg), "algorithm_not_allowed");
                // The same, where the header lies about the algorithm.
                judge.disbelieves(sign(own, alg), "signature_invalid");
            }
        }
    }
    judge.permits(token(json!({})));
}

#[test]
fn a_key_that_the_issuer_does_not_publish_is_unknown() {
    let mut judge = Judge::new(&config());
    for kid in ["key-2", "KEY-1", "key-1 ", "../../key-1", "key-1' OR '1'='1"] {
        judge.disbelieves(with_header(json!({ "kid": kid })), "key_unknown");
    }
    judge.permits(token(json!({})));
}

#[test]
fn a_key_that_comes_with_the_token_is_not_used() {
    let mut judge = Judge::new(&config());
    let mine = Key::new(9);
    let sign = |changes: Value| {
        let header = header(with(json!({"kid": "key-9"}), changes)).to_string();
        mine.sign_parts(&header, claims().to_string().as_bytes())
    };
    judge.disbelieves(sign(json!({"jwk": mine.jwk()})), "token_malformed");
    judge.disbelieves(sign(json!({"jku": "http://approvals.internal/mine"})), "token_malformed");
    judge.disbelieves(sign(json!({})), "key_unknown");
    // Under the name of the issuer's own.
    judge.disbelieves(sign(json!({"kid": "key-1"})), "signature_invalid");
}

#[test]
fn signatures_that_no_key_makes_are_refused() {
    let mut judge = Judge::new(&config());
    // The order of P-256 (SEC 2 section 2.4.2): a signature's numbers are below it.
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let zero = [0; 32];
    let mut one = zero;
    one[31] = 1;
    for (r, s) in [
        (zero, zero),
        (zero, one),
        (one, zero),
        (one, one),
        (order, order),
        (one, order),
        (order, zero),
        ([0xff; 32], [0xff; 32]),
    ] {
        let token = with_signature(&header(json!({})), |_| [r, s].concat());
        judge.disbelieves(token, "signature_invalid");
    }
    for length in [1, 32, 63, 65, 96, 128, 132, 256, 1024] {
        let token = with_signature(&header(json!({})), |_| vec![0x42; length]);
        judge.disbelieves(token, "signature_invalid");
    }
    judge.permits(token(json!({})));
}

#[test]
fn a_good_signature_in_another_form_is_refused() {
    let mut judge = Judge::new(&config());
    for change in [
        |good: &[u8]| Signature::from_slice(good).unwrap().to_der().as_bytes().to_vec(),
        |good: &[u8]| [good, &[0]].concat(),
        |good: &[u8]| good.repeat(2),
        |good: &[u8]| [&good[32..], &good[..32]].concat(),
    ] {
        judge.disbelieves(with_signature(&header(json!({})), change), "signature_invalid");
    }
    judge.permits(with_signature(&header(json!({})), <[u8]>::to_vec));
}

#[test]
fn a_payload_that_was_changed_after_it_was_signed_is_refused() {
    let (read, write) = (token(json!({})), token(json!({"scope": "orders:write"})));
    let part = |token: &str, n: usize| token.split('.').nth(n).unwrap().to_owned();
    let spliced = [part(&read, 0), part(&write, 1), part(&read, 2)].join(".");
    let mut judge = Judge::new(&config());
    judge.disbelieves(spliced, "signature_invalid");
    judge.permits(read);
}

#[test]
fn no_issuer_is_believed_with_the_keys_of_another() {
    let (ours, theirs) = (Key::new(1), Key::new(2));
    let second = json!({"issuer": "https://second.example", "audiences": ["payments-prod"],
        "jwks": {"inline": {"keys": [with(theirs.jwk(), json!({"kid": "key-1"}))]}}});
    let issuers = json!([config()["issuers"][0], second]);
    let mut judge = Judge::new(&with(config(), json!({ "issuers": issuers })));
    let sign = |key: &Key, issuer: &str| {
        let claims = with(claims(), json!({ "iss": issuer }));
        key.sign_parts(&header(json!({})).to_string(), claims.to_string().as_bytes())
    };
    judge.permits(sign(&ours, "https://issuer.example"));
    judge.permits(sign(&theirs, "https://second.example"));
    judge.disbelieves(sign(&theirs, "https://issuer.example"), "signature_invalid");
    judge.disbelieves(sign(&ours, "https://second.example"), "signature_invalid");
}
