//! Tokens made by another implementation (`tests/vectors/generate.py`).

use serde_json::{Value, json};

use crate::support::{NOW, Request, Stage, config, reason, test, with};

#[test]
fn every_token_of_another_implementation_is_judged_as_it_should_be() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    assert_eq!(vectors["now"], NOW);
    let config = with(
        config(),
        json!({"issuers": [{
            "issuer": "https://issuer.example", "audiences": ["payments-prod"],
            "algorithms": ["ES256", "ES384", "EdDSA", "RS256", "PS256"],
            "jwks": {"inline": vectors["jwks"]},
        }]}),
    );
    let tests = vectors["tests"].as_array().unwrap();
    assert!(tests.len() > 100);
    let mut stage = Stage::new(&config);
    for (stream, test) in (0..).zip(tests) {
        let wanted = match test["expect"].as_str().unwrap() {
            "ok" => "permit_unverified",
            reason => reason,
        };
        let step = stage.request(stream, &Request::under(test["token"].as_str().unwrap()));
        assert_eq!(reason(&step), wanted, "{}", test["name"]);
    }
}
