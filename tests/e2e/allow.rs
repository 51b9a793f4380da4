//! What is let through: under a grant, exactly what the grant covers, with a full record.

use breakglass_tests::client::{get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::policy::{APPROVER, INCIDENT, ISSUER, JUSTIFICATION, SUBJECT};
use breakglass_tests::tokens::Mint;
use serde_json::json;

#[test]
fn a_request_in_scope_reaches_the_upstream_with_its_subject_and_grant_but_not_the_token() {
    let gate = Gate::standard();
    let token = gate.mint();
    let allowed = gate.allows(&get("/v1/orders/17").token(token.sign()));
    assert_eq!(allowed.seen.header("x-breakglass-grant"), Some(token.grant()));
    assert_eq!(allowed.seen.header("x-breakglass-subject"), Some(SUBJECT));
    assert_eq!(allowed.seen.header("x-breakglass-token"), None);
}

#[test]
fn the_record_of_an_allowed_request_says_who_what_why_and_by_whose_approval() {
    let gate = Gate::standard();
    let token = gate.mint();
    let audit = gate.allows(&get("/v1/orders/17?debug=1").token(token.sign())).audit;
    for (member, value) in [
        ("grant", json!(token.grant())),
        ("subject", json!(SUBJECT)),
        ("issuer", json!(ISSUER)),
        ("incident", json!(INCIDENT)),
        ("justification", json!(JUSTIFICATION)),
        ("approvers", json!([APPROVER])),
        ("emergency", json!(false)),
        ("scope", json!("orders:read")),
        ("method", json!("GET")),
        ("host", json!("orders.internal")),
        ("path", json!("/v1/orders/17")),
        ("route", json!("orders")),
        ("source_ip", json!("127.0.0.1")),
        ("status", json!(200)),
        ("node", json!("gate-test")),
    ] {
        assert_eq!(*audit.of(member), value, "{member} in {}", audit.text);
    }
    assert!(audit.of("expires_in_s").as_u64().is_some_and(|left| (590..=600).contains(&left)));
    assert!(audit.of("duration_ms").is_number(), "{}", audit.text);
    assert!(audit.of("bytes_sent").as_u64().is_some_and(|sent| sent > 0), "{}", audit.text);
    assert!(audit.text_of("upstream").is_some_and(|to| to.starts_with("127.0.0.1:")));
}

#[test]
fn every_method_and_path_of_a_scope_is_allowed() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    for (method, target) in [
        ("GET", "/v1/orders"),
        ("HEAD", "/v1/orders"),
        ("GET", "/v1/orders/17"),
        ("GET", "/v1/orders/17?a=/../b&c=%2F"),
        ("GET", "/v1/orders/17/items/1"),
        ("GET", "/v1/orders/17/items/1/2/3"),
        ("GET", "/v1/orders/-._~!$&'()*+,=:@"),
    ] {
        gate.allows(&request(method, target).token(&token));
    }
}

#[test]
fn any_of_the_scopes_of_a_token_is_enough() {
    let gate = Gate::standard();
    let token = gate.mint().scope("orders:read orders:write").sign();
    let read = gate.allows(&get("/v1/orders").token(&token));
    let write = gate.allows(&request("POST", "/v1/orders").token(&token).body("{}"));
    assert_eq!(read.audit.text_of("scope"), Some("orders:read"));
    assert_eq!(write.audit.text_of("scope"), Some("orders:write"));
    assert_eq!(write.seen.body_bytes, 2);
}

#[test]
fn a_scope_that_the_configuration_does_not_know_takes_nothing_from_the_others() {
    let gate = Gate::standard();
    gate.allows(&get("/v1/orders").token(gate.mint().scope("ghosts:read orders:read").sign()));
}

#[test]
fn a_token_that_was_seen_before_is_allowed_again() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    for _ in 0..3 {
        gate.allows(&get("/v1/orders").token(&token));
    }
}

#[test]
fn tokens_of_every_allowed_algorithm_are_accepted() {
    let keys = [Key::es256("p256"), Key::es384("p384"), Key::eddsa("ed25519"), Key::rsa("rsa")];
    let gate = Plan::standard()
        .set("/issuers/0/algorithms", json!(["ES256", "ES384", "EdDSA", "RS256", "PS256"]))
        .set("/issuers/0/jwks/inline", jwks(&keys.each_ref()))
        .start();
    for key in &keys {
        gate.allows(&get("/v1/orders").token(Mint::new(key).sign()));
    }
    gate.allows(&get("/v1/orders").token(Mint::new(&keys[3]).header("alg", "PS256").sign()));
}

#[test]
fn an_audience_among_others_is_enough() {
    let gate = Gate::standard();
    let token = gate.mint().claim("aud", json!(["elsewhere", "payments-test"])).sign();
    gate.allows(&get("/v1/orders").token(token));
}

#[test]
fn claims_that_nobody_asked_for_are_ignored() {
    let gate = Gate::standard();
    let token = gate.mint().claim("colour", json!({"deep": [1, 2.5, null]})).sign();
    gate.allows(&get("/v1/orders").token(token));
}
