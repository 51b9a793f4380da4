//! The verifier against the JWS vectors of Project Wycheproof (`tests/vectors/wycheproof`).
//!
//! Their payloads are no claims and they have no `typ`, so no whole token can be made of them. The signature is
//! checked before the payload is parsed, and the error tells which of them failed: an error of the parser means
//! that the signature was good.

use std::collections::BTreeMap;

use super::super::KeySet;
use super::*;
use crate::testing::test;

const VECTORS: &str =
    include_str!("../../../tests/vectors/wycheproof/json_web_signature_test.json");

/// How many vectors there are for each algorithm of ours, and for keys that are not for signatures.
const JUDGED: [(&str, usize); 4] =
    [("ES256", 39), ("PS256", 48), ("RS256", 233), ("not a signing key", 4)];

/// What is not judged: algorithms that are no `algorithms` of an issuer, MACs among them, and the two that name
/// `PS384` under a key for `PS256`.
const NOT_OURS: usize = 77;

/// The header, if it is JSON.
fn header_of(token: &str) -> Option<Json> {
    use base64::Engine as _;
    let header = token.split('.').next()?;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).ok()?;
    Json::parse(&header).ok()
}

#[test]
fn every_jws_of_wycheproof_is_judged_as_it_should_be() {
    let vectors = Json::parse(VECTORS.as_bytes()).unwrap();
    let groups = vectors.member("testGroups").and_then(Json::as_array).unwrap();
    let (mut judged, mut skipped, mut valid) = (BTreeMap::new(), 0, 0);
    for group in groups {
        let public = group.member("public").cloned().unwrap_or(Json::Null);
        let alg = public.member("alg").and_then(Json::as_str).map(str::to_owned);
        let key =
            KeySet::read_remote(&Json::Object([("keys".into(), [public.clone()].into())].into()));
        for vector in group.member("tests").and_then(Json::as_array).unwrap() {
            let text = |name: &str| vector.member(name).and_then(Json::as_str);
            let wanted = text("result").unwrap() == "valid";
            let id = vector.member("tcId").and_then(Json::as_u64).unwrap();
            // One is in the JSON serialization, which is no text.
            let token = text("jws").unwrap_or_default();
            let named = header_of(token);
            let named = named.as_ref().and_then(|header| header.member("alg")?.as_str());
            let ours = alg.as_deref().and_then(Algorithm::from_name);
            let (kind, found) = match (&key, ours) {
                (Ok(key), Some(algorithm)) if !(wanted && named == Some("PS384")) => {
                    let kid = public.member("kid").and_then(Json::as_str).unwrap();
                    let key = key.find(kid).unwrap();
                    (alg.clone().unwrap(), key.has_signed(algorithm, token, None))
                }
                (Err(_), None) if alg.is_none() && public.member("kty").is_some() => {
                    ("not a signing key".to_owned(), false)
                }
                _ => {
                    skipped += 1;
                    continue;
                }
            };
            assert_eq!(found, wanted, "{id}: {}", text("comment").unwrap());
            valid += usize::from(wanted);
            *judged.entry(kind).or_insert(0) += 1;
        }
    }
    let judged: Vec<_> = judged.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!((judged, skipped), (JUDGED.to_vec(), NOT_OURS));
    assert_eq!(JUDGED.iter().map(|(_, count)| count).sum::<usize>(), 324);
    assert_eq!(valid, 16);
}
