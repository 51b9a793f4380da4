//! A mark counts for the one request that it was made for, and for nothing else.

use super::*;
use crate::config::Config;
use crate::hex;
use crate::testing::test;

const DIGEST: &[u8] = br#"{"a":1}"#;

fn credential(secret: &str) -> Credential {
    let config = br#"{
        "issuers": [{"issuer": "https://issuer.example", "audiences": ["a"], "jwks": {"inline": {"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "use": "sig",
             "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}, "algorithms": ["EdDSA"]}],
        "scopes": [{"name": "s", "methods": ["GET"], "paths": ["/"]}],
        "revocation": {"on_unavailable": "allow", "credential": {"env": "TOKEN"}}
    }"#;
    let config = Config::parse(config, &|_| Some(secret.to_owned()));
    config.unwrap_or_else(|errors| panic!("{errors:?}")).revocation.credential.unwrap()
}

fn key(secret: &str, version: &str, configuration: &[u8]) -> MarkKey {
    let digest = ConfigDigest::of(configuration).unwrap();
    MarkKey::new(&credential(secret), version, digest).unwrap()
}

fn usual() -> MarkKey {
    key("proxy-secret", "1.2.3", DIGEST)
}

const STREAM: StreamKey = StreamKey { connection: 7, began: 1_800_000_000_000_000_001 };

const REQUEST: MarkedRequest<'static> = MarkedRequest {
    stream: STREAM,
    method: b"GET",
    authority: b"orders.internal",
    path: b"/v1/orders?page=2",
};

#[test]
fn a_mark_counts_for_its_own_request() {
    for decision in MarkedDecision::ALL {
        let mark = usual().mark(decision, &REQUEST);
        assert_eq!(usual().verify(&mark, &REQUEST), Ok(decision));
    }
}

#[test]
fn a_mark_with_any_byte_changed_or_any_other_length_is_none() {
    for decision in MarkedDecision::ALL {
        let mark = usual().mark(decision, &REQUEST);
        for at in 0..mark.len() {
            for bit in 0..8 {
                let mut other = mark.clone();
                other[at] ^= 1 << bit;
                assert!(usual().verify(&other, &REQUEST).is_err(), "byte {at}, bit {bit}");
            }
            assert_eq!(usual().verify(&mark[..at], &REQUEST), Err(NoMark::Form), "{at} bytes");
        }
        let longer = [&mark[..], b"x"].concat();
        assert_eq!(usual().verify(&longer, &REQUEST), Err(NoMark::Form));
    }
}

#[test]
fn one_decision_does_not_vouch_for_another() {
    let mut mark = usual().mark(MarkedDecision::ShadowDeny, &REQUEST);
    mark[1] = MarkedDecision::Permit.byte();
    assert_eq!(usual().verify(&mark, &REQUEST), Err(NoMark::NotAuthentic));
}

#[test]
fn a_mark_of_another_request_is_none() {
    let StreamKey { connection, began } = STREAM;
    let others = [
        MarkedRequest { stream: StreamKey { connection: 8, began }, ..REQUEST },
        MarkedRequest { stream: StreamKey { connection, began: began + 1 }, ..REQUEST },
        MarkedRequest { stream: StreamKey { connection: began, began: connection }, ..REQUEST },
        MarkedRequest { method: b"POST", ..REQUEST },
        MarkedRequest { method: b"get", ..REQUEST },
        MarkedRequest { authority: b"orders.internal:80", ..REQUEST },
        MarkedRequest { path: b"/v1/orders?page=3", ..REQUEST },
        MarkedRequest { path: b"/v1/orders", ..REQUEST },
        MarkedRequest { path: b"", ..REQUEST },
        // The same bytes, cut elsewhere.
        MarkedRequest { method: b"GETo", authority: b"rders.internal", ..REQUEST },
        MarkedRequest { authority: b"orders.internal/v1", path: b"/orders?page=2", ..REQUEST },
        MarkedRequest { authority: b"", path: b"orders.internal/v1/orders?page=2", ..REQUEST },
    ];
    let mark = usual().mark(MarkedDecision::Permit, &REQUEST);
    for other in others {
        assert_eq!(usual().verify(&mark, &other), Err(NoMark::NotAuthentic), "{other:?}");
    }
}

#[test]
fn a_mark_of_another_credential_version_or_configuration_is_none() {
    let mark = usual().mark(MarkedDecision::Permit, &REQUEST);
    let judge = |key: MarkKey| key.verify(&mark, &REQUEST);
    assert_eq!(judge(key("proxy-secreu", "1.2.3", DIGEST)), Err(NoMark::NotAuthentic));
    assert_eq!(judge(key("proxy-secret", "1.2.4", DIGEST)), Err(NoMark::NotAuthentic));
    let other = key("proxy-secret", "1.2.3", br#"{"a":2}"#);
    assert_eq!(judge(other.clone()), Err(NoMark::OtherConfiguration));
    // With the other's digest in it, which is no secret.
    let mut relabelled = mark.clone();
    relabelled[2..2 + HASH_BYTES].copy_from_slice(&other.digest);
    assert_eq!(other.verify(&relabelled, &REQUEST), Err(NoMark::NotAuthentic));
    // Written differently it is the same configuration.
    assert_eq!(
        judge(key("proxy-secret", "1.2.3", b" { \"a\" : 1.0 }")),
        Ok(MarkedDecision::Permit)
    );
}

/// Requests that differ in one place, of every shape: no mark of one counts for another.
#[test]
fn no_mark_of_a_generated_request_counts_for_another_one() {
    let mut state = 0x1234_5678_9abc_def0_u64;
    let mut next = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let alphabet: &[u8] = b"aA/.%2f?\0\xff:";
    let mut requests = Vec::new();
    for _ in 0..150 {
        let mut text = || {
            let length = next(6);
            (0..length).map(|_| alphabet[next(10) as usize]).collect::<Vec<u8>>()
        };
        let (method, authority, path) = (text(), text(), text());
        let stream = StreamKey { connection: next(3), began: next(3) };
        requests.push((stream, method, authority, path));
    }
    requests.sort_by_key(|(stream, ..)| (stream.connection, stream.began));
    requests.dedup();
    let as_request =
        |(stream, method, authority, path): &(StreamKey, Vec<u8>, Vec<u8>, Vec<u8>)| {
            (*stream, method.clone(), authority.clone(), path.clone())
        };
    let key = usual();
    for (index, one) in requests.iter().enumerate() {
        let (stream, method, authority, path) = as_request(one);
        let request = MarkedRequest { stream, method: &method, authority: &authority, path: &path };
        let mark = key.mark(MarkedDecision::Permit, &request);
        for (other_index, other) in requests.iter().enumerate() {
            let (stream, method, authority, path) = as_request(other);
            let other_request =
                MarkedRequest { stream, method: &method, authority: &authority, path: &path };
            let verified = key.verify(&mark, &other_request).is_ok();
            assert_eq!(verified, one == other, "{index} {other_index}: {one:?} {other:?}");
        }
    }
}

#[test]
fn whatever_bytes_are_there_are_no_mark() {
    let key = usual();
    for length in 0..200 {
        for byte in [0, 1, b'p', 0xff] {
            assert!(key.verify(&vec![byte; length], &REQUEST).is_err());
            let mut like_one = vec![byte; length];
            like_one.splice(..length.min(2), [FORM, b'p'].into_iter().take(length.min(2)));
            assert!(key.verify(&like_one, &REQUEST).is_err());
        }
    }
}

/// The mark as another program computes it: `hmac`, `hashlib` and `struct` of Python 3.
#[test]
fn a_mark_is_that_of_another_implementation() {
    let mark = usual().mark(MarkedDecision::Permit, &REQUEST);
    assert_eq!(
        hex::lower(&mark),
        "0170015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862f451b5552f7bb0fd378592c9773bd61e958d4b79768613b63c886cc3fbbdd3a6"
    );
}
