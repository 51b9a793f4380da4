//! Whether a token can be believed: one refusal for each reason, beside what is allowed. Every other value is in the
//! core's tests (`crates/core/tests/core/tokens`); hostile ones are in `hostile.rs`.

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::Plan;
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::tokens::{Mint, now};
use serde_json::{Value, json};

fn present(token: &Mint) -> Request {
    get("/v1/orders").token(token.sign())
}

#[test]
fn each_reason_to_refuse_a_token_reaches_client_and_record() {
    let p384 = Key::es384("p384");
    let gate = Plan::standard()
        .filter(|filter| {
            let keys = filter["issuers"][0]["jwks"]["inline"]["keys"].as_array_mut().unwrap();
            keys.push(p384.jwk());
        })
        .start();
    gate.allows(&present(&gate.mint()));
    let other = Key::es256("key-1");
    let later = gate.mint().claim("iat", now() + 60).claim("exp", now() + 660);
    for (token, status, reason) in [
        (gate.mint().header("typ", "JWT"), 401, "token_type"),
        (gate.mint().claim("iss", "https://evil.test"), 401, "issuer_unknown"),
        (Mint::new(&p384), 401, "algorithm_not_allowed"),
        (gate.mint().header("kid", "key-2"), 401, "key_unknown"),
        (Mint::new(&other), 401, "signature_invalid"),
        (gate.mint().without_claim("sub"), 401, "claim_missing"),
        (gate.mint().claim("sub", "a\nb"), 401, "claim_invalid"),
        (gate.mint().claim("aud", "payments-prod"), 401, "audience_mismatch"),
        (gate.mint().issued(620, 600), 401, "token_expired"),
        (later, 401, "token_not_yet_valid"),
        (gate.mint().issued(0, 3601), 401, "lifetime_exceeded"),
    ] {
        let refused = gate.refuses(&present(&token), status, reason);
        if ["issuer_unknown", "signature_invalid"].contains(&reason) {
            assert_eq!(refused.problem.get("grant"), None);
            assert_eq!(*refused.audit.of("subject"), Value::Null);
        }
    }
    gate.still_serves();
}

#[test]
fn tokens_of_every_allowed_algorithm_are_accepted() {
    let keys = [Key::es256("p256"), Key::es384("p384"), Key::eddsa("ed25519"), Key::rsa("rsa")];
    let gate = Plan::standard()
        .set("/issuers/0/algorithms", json!(["ES256", "ES384", "EdDSA", "RS256", "PS256"]))
        .set("/issuers/0/jwks/inline", jwks(&keys.each_ref()))
        .start();
    for key in &keys {
        gate.allows(&present(&Mint::new(key)));
    }
    gate.allows(&present(&Mint::new(&keys[3]).header("alg", "PS256")));
}

#[test]
fn refuses_while_no_key_source_has_answered() {
    let mut gate = Plan::standard().remote_keys_only("1s").approvals_down().start();
    gate.refuses(&present(&gate.mint()), 503, "keys_unavailable");
    gate.approvals.start_again();
    // From here on the source answers: the next refresh brings the keys.
    breakglass_tests::wait::until("the keys", || {
        (gate.send(&present(&gate.mint())).status == 200).then_some(())
    });
    gate.allows(&present(&gate.mint()));
}

#[test]
fn refuses_a_known_token_as_soon_as_it_has_expired() {
    let gate = Plan::standard().set("/clock_skew", json!("0s")).start();
    let token = gate.mint().issued(598, 600).sign();
    let request = || get("/v1/orders").token(&token);
    gate.allows(&request());
    breakglass_tests::wait::until("the token to expire", || {
        (gate.send(&request()).status == 401).then_some(())
    });
    gate.refuses(&request(), 401, "token_expired");
}
