//! What a scope requires beyond being covered: each requirement fails alone. The tables are in the core's tests
//! (`crates/core/tests/core/scopes.rs`); here is what Envoy knows: source and certificate.

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan, Refused};
use breakglass_tests::tokens::{Mint, now};
use serde_json::{Value, json};

/// A token for the scope of one requirement, and the path that is only in that scope.
fn present(requirement: &str, token: impl Fn(Mint) -> Mint, gate: &Gate) -> Request {
    let token = token(gate.mint().scope(&format!("needs:{requirement}")));
    get(format!("/needs/{requirement}")).token(token.sign())
}

fn challenge(refused: &Refused) -> &str {
    refused.answer.header("www-authenticate").unwrap()
}

#[test]
fn each_requirement_that_is_not_met_refuses_for_its_own_reason() {
    let gate = Gate::standard();
    let with = |requirement: &str, claim: &str, value: Value| {
        present(requirement, |token| token.claim(claim, value.clone()), &gate)
    };
    gate.allows(&with("role", "roles", json!(["developer", "sre"])));
    gate.refuses(&with("role", "roles", json!(["developer"])), 403, "role_missing");
    gate.allows(&with("amr", "amr", json!(["pwd", "hwk", "mfa"])));
    gate.refuses(&with("amr", "amr", json!(["mfa"])), 401, "step_up_required");
    gate.allows(&with("acr", "acr", json!("aal3")));
    let refused = gate.refuses(&with("acr", "acr", json!("aal1")), 401, "step_up_required");
    assert!(challenge(&refused).contains(r#"acr_values="aal2 aal3""#), "{}", challenge(&refused));
    gate.allows(&with("fresh", "auth_time", json!(now() - 890)));
    let old = with("fresh", "auth_time", json!(now() - 920));
    let refused = gate.refuses(&old, 401, "step_up_required");
    assert!(challenge(&refused).contains(r#"max_age="900""#), "{}", challenge(&refused));
    let living = |seconds: u64| present("short", |token| token.issued(0, seconds), &gate);
    gate.allows(&living(300));
    gate.refuses(&living(301), 403, "scope_lifetime_exceeded");
}

#[test]
fn the_source_must_be_in_one_of_the_networks() {
    let gate = Gate::standard();
    let from = |ip: &str| present("source", |token| token, &gate).header("x-forwarded-for", ip);
    let allowed = gate.allows(&from("10.1.2.3"));
    assert_eq!(allowed.audit.text_of("source_ip"), Some("10.1.2.3"));
    gate.allows(&from("2001:db8::1"));
    for ip in ["11.1.2.3", "9.255.255.255", "2001:db9::1", "::1"] {
        let refused = gate.refuses(&from(ip), 403, "source_not_allowed");
        assert_eq!(refused.audit.text_of("source_ip"), Some(ip));
    }
    gate.refuses(&present("source", |token| token, &gate), 403, "source_not_allowed");
}

#[test]
fn a_bound_token_is_good_with_its_certificate_only() {
    let gate = Plan::standard().tls().start();
    let (alice, mallory) = (gate.certify("alice.internal"), gate.certify("mallory.internal"));
    let bound = |scope: &str, path: &str| {
        let cnf = json!({"x5t#S256": alice.thumbprint()});
        get(path).token(gate.mint().scope(scope).claim("cnf", cnf).sign())
    };
    // Where the scope asks for it, and where the token alone says that it is bound.
    for (scope, path) in
        [("needs:certificate", "/needs/certificate"), ("orders:read", "/v1/orders")]
    {
        gate.allows_as(&bound(scope, path), Some(&alice));
        gate.refuses_as(&bound(scope, path), Some(&mallory), 401, "sender_mismatch");
        gate.refuses_as(&bound(scope, path), None, 401, "sender_mismatch");
    }
}

#[test]
fn a_scope_may_want_tokens_that_are_bound() {
    let gate = Plan::standard().tls().start();
    let alice = gate.certify("alice.internal");
    let unbound = |scope: &str, path: &str| get(path).token(gate.mint().scope(scope).sign());
    gate.allows_as(&unbound("orders:read", "/v1/orders"), Some(&alice));
    let refused = unbound("needs:certificate", "/needs/certificate");
    gate.refuses_as(&refused, Some(&alice), 401, "sender_mismatch");
}

#[test]
fn a_header_is_no_certificate() {
    let gate = Gate::standard();
    let cnf = json!({"x5t#S256": "A".repeat(43)});
    let request = get("/v1/orders")
        .token(gate.mint().claim("cnf", cnf).sign())
        .header("x-forwarded-client-cert", format!("Hash={}", "00".repeat(32)));
    gate.refuses(&request, 401, "sender_mismatch");
}
