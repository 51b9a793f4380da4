//! Whether a token can be believed: in each pair only the guard that is named fails.

use breakglass_tests::approvals::{KEYS, Reply};
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::tokens::{Mint, now};
use serde_json::{Value, json};

fn present(token: &Mint) -> Request {
    get("/v1/orders").token(token.sign())
}

#[test]
fn refuses_a_token_of_another_type() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint()));
    for typ in ["JWT", "at+jwt", "application/breakglass+jwt ", "BREAKGLASS"] {
        gate.refuses(&present(&gate.mint().header("typ", typ)), 401, "token_type");
    }
}

#[test]
fn refuses_a_token_of_an_unknown_issuer() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint()));
    for issuer in ["https://approvals.test/", "https://APPROVALS.test", "https://evil.test", "x"] {
        let refused =
            gate.refuses(&present(&gate.mint().claim("iss", issuer)), 401, "issuer_unknown");
        assert_eq!(refused.problem.get("grant"), None);
    }
}

#[test]
fn refuses_an_algorithm_that_is_not_allowed_although_the_key_is_known() {
    let (p256, p384) = (Key::es256("p256"), Key::es384("p384"));
    let gate = Plan::standard().set("/issuers/0/jwks/inline", jwks(&[&p256, &p384])).start();
    gate.allows(&present(&Mint::new(&p256)));
    gate.refuses(&present(&Mint::new(&p384)), 401, "algorithm_not_allowed");
}

#[test]
fn refuses_an_allowed_algorithm_that_is_not_the_keys() {
    let (p256, rsa) = (Key::es256("p256"), Key::rsa("rsa"));
    let gate = Plan::standard()
        .set("/issuers/0/algorithms", json!(["ES256", "RS256"]))
        .set("/issuers/0/jwks/inline", jwks(&[&p256, &rsa]))
        .start();
    gate.allows(&present(&Mint::new(&rsa)));
    let claims_rsa = Mint::new(&p256).header("alg", "RS256");
    gate.refuses(&present(&claims_rsa), 401, "algorithm_not_allowed");
    let claims_ec = Mint::new(&rsa).header("alg", "ES256");
    gate.refuses(&present(&claims_ec), 401, "algorithm_not_allowed");
}

#[test]
fn refuses_a_key_id_that_the_issuer_does_not_publish() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint()));
    for kid in ["key-2", "KEY-1", "key-1 ", "../../key-1", "key-1' OR '1'='1"] {
        gate.refuses(&present(&gate.mint().header("kid", kid)), 401, "key_unknown");
    }
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
fn refuses_a_signature_by_another_key() {
    let gate = Gate::standard();
    let other = Key::es256("key-1");
    gate.allows(&present(&gate.mint()));
    let refused = gate.refuses(&present(&Mint::new(&other)), 401, "signature_invalid");
    assert_eq!(refused.problem.get("grant"), None);
    assert_eq!(*refused.audit.of("subject"), Value::Null);
}

#[test]
fn refuses_a_payload_that_was_changed_after_it_was_signed() {
    let gate = Gate::standard();
    let (read, write) = (gate.mint().sign(), gate.mint().scope("orders:write").sign());
    let part = |token: &str, n: usize| token.split('.').nth(n).unwrap().to_owned();
    let spliced = [part(&read, 0), part(&write, 1), part(&read, 2)].join(".");
    gate.refuses(&get("/v1/orders").token(spliced), 401, "signature_invalid");
    gate.allows(&get("/v1/orders").token(read));
}

#[test]
fn refuses_a_token_that_lacks_a_claim() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint()));
    for name in ["sub", "aud", "iat", "exp", "jti", "scope", "breakglass"] {
        gate.refuses(&present(&gate.mint().without_claim(name)), 401, "claim_missing");
    }
    for name in ["reason", "approvers"] {
        let mut claim = json!({"reason": "r", "approvers": ["bob"]});
        gate.allows(&present(&gate.mint().claim("breakglass", claim.clone())));
        claim.as_object_mut().unwrap().remove(name);
        gate.refuses(&present(&gate.mint().claim("breakglass", claim)), 401, "claim_missing");
    }
}

#[test]
fn refuses_a_claim_of_another_type_or_out_of_bounds() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint()));
    for (name, value) in [
        ("sub", json!(1)),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", json!("x".repeat(257))),
        ("jti", json!("a b")),
        ("jti", json!("a\r\nx-admin: 1")),
        ("aud", json!([])),
        ("aud", json!(7)),
        ("scope", json!(["orders:read"])),
        ("scope", json!("orders:read  orders:write")),
        ("roles", json!("oncall")),
        ("groups", json!({})),
        ("amr", json!("mfa")),
        ("acr", json!(2)),
        ("auth_time", json!("now")),
        ("cnf", json!({"jkt": "x"})),
        ("cnf", json!({"x5t#S256": "short"})),
        ("breakglass", json!("because")),
        ("breakglass", json!({"reason": 1, "approvers": []})),
        ("breakglass", json!({"reason": "r", "approvers": "bob"})),
        ("breakglass", json!({"reason": "r", "approvers": [], "emergency": "no"})),
    ] {
        gate.refuses(&present(&gate.mint().claim(name, value)), 401, "claim_invalid");
    }
    gate.still_serves();
}

#[test]
fn refuses_a_token_for_another_environment() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint()));
    for audience in [json!("payments-prod"), json!(["a", "b"]), json!("payments-test ")] {
        gate.refuses(&present(&gate.mint().claim("aud", audience)), 401, "audience_mismatch");
    }
}

#[test]
fn refuses_a_token_that_has_expired() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint().issued(590, 600)));
    gate.refuses(&present(&gate.mint().issued(620, 600)), 401, "token_expired");
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

#[test]
fn refuses_a_token_before_its_time() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint().claim("nbf", now() - 1)));
    // Within the clock skew, which is 5 s unless configured.
    gate.allows(&present(&gate.mint().claim("nbf", now() + 3)));
    gate.refuses(&present(&gate.mint().claim("nbf", now() + 60)), 401, "token_not_yet_valid");
    let later = gate.mint().claim("iat", now() + 60).claim("exp", now() + 660);
    gate.refuses(&present(&later), 401, "token_not_yet_valid");
}

#[test]
fn refuses_a_token_that_lives_longer_than_the_issuer_may_issue() {
    let gate = Gate::standard();
    gate.allows(&present(&gate.mint().issued(0, 3600)));
    gate.refuses(&present(&gate.mint().issued(0, 3601)), 401, "lifetime_exceeded");
}

#[test]
fn believes_no_issuer_with_the_keys_of_another() {
    let (ours, theirs) = (Key::es256("same"), Key::es256("same"));
    let second = json!({
        "issuer": "https://second.test",
        "audiences": ["payments-test"],
        "algorithms": ["ES256"],
        "typ": ["breakglass+jwt"],
        "max_lifetime": "1h",
        "jwks": {"inline": jwks(&[&theirs])},
    });
    let gate = Plan::standard()
        .set("/issuers/0/jwks/inline", jwks(&[&ours]))
        .filter(|filter| filter["issuers"].as_array_mut().unwrap().push(second))
        .approvals(KEYS, Reply::status(500, ""))
        .start();
    gate.allows(&present(&Mint::new(&ours)));
    gate.allows(&present(&Mint::new(&theirs).claim("iss", "https://second.test")));
    gate.refuses(&present(&Mint::new(&theirs)), 401, "signature_invalid");
}
