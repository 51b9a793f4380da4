//! `internal_error`: the host does not do what the filter needs done. No request can bring that
//! about; here Envoy is told to refuse one host function, as it can be for any plugin.

use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};

/// The request with a token is refused, whatever the filter had decided.
fn fails_closed(gate: &Gate) {
    gate.passes(&get("/v1/orders"));
    let token = gate.mint();
    let refused = gate.refuses(&get("/v1/orders").token(token.sign()), 500, "internal_error");
    assert_eq!(refused.audit.text_of("grant"), Some(token.grant()));
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    gate.counts("deny", "internal_error", 1);
    gate.has_its_first_vms();
}

#[test]
fn a_permit_that_cannot_be_told_to_the_upstream_is_a_refusal() {
    fails_closed(&Plan::standard().forbidding("proxy_replace_header_map_value").start());
}

#[test]
fn a_token_that_cannot_be_taken_away_is_a_refusal() {
    let gate = Plan::standard().forbidding("proxy_remove_header_map_value").start();
    fails_closed(&gate);
    // What pretends to be ours and cannot be taken away does not reach the upstream either.
    let spoofed = get("/v1/orders").header("x-breakglass-grant", "evil");
    let answer = gate.send(&spoofed);
    assert_eq!((answer.status, &answer.json()["reason"]), (500, &"internal_error".into()));
    assert!(gate.upstream.saw(&spoofed.id).is_none());
}

#[test]
fn a_permit_that_cannot_be_recorded_is_a_refusal() {
    let gate = Plan::standard().forbidding("proxy_set_property").start();
    let request = get("/v1/orders").token(gate.mint().sign());
    let answer = gate.send(&request);
    assert_eq!((answer.status, &answer.json()["reason"]), (500, &"internal_error".into()));
    assert!(gate.upstream.saw(&request.id).is_none());
    assert_eq!(gate.envoy.record(&request.id).details(), "breakglass_internal_error");
    // A refusal that cannot be recorded is one all the same, and says why.
    let answer = gate.send(&get("/admin/users"));
    assert_eq!((answer.status, &answer.json()["reason"]), (401, &"token_missing".into()));
    gate.passes(&get("/v1/orders"));
    gate.has_its_first_vms();
}

#[test]
fn without_a_clock_nothing_is_allowed() {
    let gate = Plan::standard().forbidding("proxy_get_current_time_nanoseconds").start();
    let request = get("/v1/orders").token(gate.mint().sign());
    let answer = gate.send(&request);
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(gate.upstream.saw(&request.id).is_none());
    assert_eq!(gate.envoy.record(&request.id).details(), "breakglass_internal_error");
}

#[test]
fn without_calls_nobody_can_be_asked() {
    let gate = Plan::standard().forbidding("proxy_http_call").start();
    gate.refuses(&get("/v1/orders").token(gate.mint().sign()), 503, "revocation_unknown");
    let gate = Plan::standard().remote_keys_only("300s").forbidding("proxy_http_call").start();
    gate.refuses(&get("/v1/orders").token(gate.mint().sign()), 503, "keys_unavailable");
}
