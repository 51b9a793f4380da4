//! What a scope requires beyond being covered: each requirement fails alone.

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan, Refused};
use breakglass_tests::tokens::{Mint, now};
use serde_json::json;

/// A token for the scope of one requirement, and the path that is only in that scope.
fn present(requirement: &str, token: impl Fn(Mint) -> Mint, gate: &Gate) -> Request {
    let token = token(gate.mint().scope(&format!("needs:{requirement}")));
    get(format!("/needs/{requirement}")).token(token.sign())
}

fn challenge(refused: &Refused) -> &str {
    refused.answer.header("www-authenticate").unwrap()
}

#[test]
fn one_of_the_roles_is_needed() {
    let gate = Gate::standard();
    let with = |roles: &[&str]| present("role", |token| token.claim("roles", roles), &gate);
    gate.allows(&with(&["oncall"]));
    gate.allows(&with(&["developer", "sre"]));
    gate.refuses(&with(&["developer"]), 403, "role_missing");
    gate.refuses(&with(&["ONCALL"]), 403, "role_missing");
    gate.refuses(&present("role", |token| token, &gate), 403, "role_missing");
}

#[test]
fn all_of_the_authentication_methods_are_needed() {
    let gate = Gate::standard();
    let with = |amr: &[&str]| present("amr", |token| token.claim("amr", amr), &gate);
    gate.allows(&with(&["pwd", "hwk", "mfa"]));
    gate.refuses(&with(&["mfa"]), 401, "step_up_required");
    gate.refuses(&present("amr", |token| token, &gate), 401, "step_up_required");
}

#[test]
fn one_of_the_authentication_contexts_is_needed() {
    let gate = Gate::standard();
    let with = |acr: &str| present("acr", |token| token.claim("acr", acr), &gate);
    gate.allows(&with("aal2"));
    gate.allows(&with("aal3"));
    let refused = gate.refuses(&with("aal1"), 401, "step_up_required");
    assert!(challenge(&refused).contains(r#"acr_values="aal2 aal3""#), "{}", challenge(&refused));
    gate.refuses(&present("acr", |token| token, &gate), 401, "step_up_required");
}

#[test]
fn the_authentication_must_be_recent() {
    let gate = Gate::standard();
    let at = |time: u64| present("fresh", |token| token.claim("auth_time", time), &gate);
    gate.allows(&at(now() - 890));
    let refused = gate.refuses(&at(now() - 920), 401, "step_up_required");
    assert!(challenge(&refused).contains(r#"max_age="900""#), "{}", challenge(&refused));
    gate.refuses(&present("fresh", |token| token, &gate), 401, "step_up_required");
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
fn a_scope_may_want_shorter_lives_than_the_issuer() {
    let gate = Gate::standard();
    let living = |seconds: u64| present("short", |token| token.issued(0, seconds), &gate);
    gate.allows(&living(300));
    gate.refuses(&living(301), 403, "scope_lifetime_exceeded");
}

#[test]
fn all_requirements_of_one_covering_scope_are_needed_not_one_of_each() {
    let gate = Plan::standard()
        .set("/scopes/9/require", json!({"roles": ["oncall"], "amr": ["mfa"]}))
        .filter(|filter| {
            let scopes = filter["scopes"].as_array_mut().unwrap();
            scopes.push(json!({"name": "needs:other", "methods": ["GET"],
                "paths": ["/needs/role"], "require": {"acr": ["aal3"]}}));
        })
        .start();
    let with = |token: Mint| get("/needs/role").token(token.scope("needs:role needs:other").sign());
    gate.allows(&with(gate.mint().claim("roles", json!(["oncall"])).claim("amr", json!(["mfa"]))));
    gate.allows(&with(gate.mint().claim("acr", "aal3")));
    let request = with(gate.mint().claim("roles", json!(["oncall"])));
    assert_eq!(gate.send(&request).status, 401);
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.audit().unwrap().text_of("reason"), Some("step_up_required"));
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
