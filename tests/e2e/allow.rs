//! What is let through: under a grant, exactly what the grant covers, with a full record.

use breakglass_tests::client::{get, request};
use breakglass_tests::gate::Gate;
use breakglass_tests::policy::{APPROVER, INCIDENT, ISSUER, JUSTIFICATION, SUBJECT};
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
fn what_each_scope_of_a_token_covers_is_allowed_and_recorded_under_it() {
    let gate = Gate::standard();
    let token = gate.mint().scope("ghosts:read orders:read orders:write").sign();
    let head = gate.allows(&request("HEAD", "/v1/orders/17?a=/../b&c=%2F").token(&token));
    let items = gate.allows(&get("/v1/orders/-._~!$&'()*+,=:@/items/1/2").token(&token));
    let write = gate.allows(&request("POST", "/v1/orders").token(&token).body("{}"));
    for (allowed, scope) in
        [(&head, "orders:read"), (&items, "orders:read"), (&write, "orders:write")]
    {
        assert_eq!(allowed.audit.text_of("scope"), Some(scope));
    }
    assert_eq!(write.seen.body_bytes, 2);
}
