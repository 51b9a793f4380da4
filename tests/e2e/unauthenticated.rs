//! Requests without a token: untouched, unless the configuration says otherwise.

use breakglass_tests::client::{get, request};
use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};

#[test]
fn a_request_without_a_token_passes_and_leaves_no_record() {
    let gate = Gate::standard();
    for one in [
        get("/v1/orders"),
        request("DELETE", "/v1/ledger/entries"),
        request("POST", "/anything").body("content"),
        get("/v1//orders/../x;y?z"),
    ] {
        let passed = gate.passes(&one);
        assert_eq!(passed.seen.method, one.method());
    }
    assert_eq!(gate.approvals.calls(breakglass_tests::approvals::INTROSPECTION).len(), 0);
}

#[test]
fn what_is_protected_is_reached_with_a_permit_only() {
    let gate = Gate::standard();
    let refused = gate.refuses(&get("/admin/users"), 401, "token_missing");
    assert_eq!(*refused.audit.of("grant"), Value::Null);
    assert_eq!(refused.problem.get("grant"), None);
    gate.allows(&get("/admin/users").token(gate.mint().scope("admin:read").sign()));
    gate.refuses(&get("/admin/users").token(gate.mint().sign()), 403, "out_of_scope");
    gate.passes(&get("/administration"));
}

#[test]
fn what_is_protected_can_be_a_host_and_a_method() {
    let rules = json!([{"hosts": ["vault.internal"]}, {"methods": ["PURGE"], "paths": ["/v1/**"]}]);
    let gate = Plan::standard().set("/protected", rules).start();
    gate.refuses(&get("/x").host("VAULT.internal"), 401, "token_missing");
    gate.refuses(&request("purge", "/v1/x"), 401, "token_missing");
    gate.passes(&get("/v1/x"));
}

#[test]
fn without_a_token_nothing_passes_where_the_configuration_says_deny() {
    let gate = Plan::standard().set("/unauthenticated", json!("deny")).start();
    gate.refuses(&get("/v1/orders"), 401, "token_missing");
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
}
