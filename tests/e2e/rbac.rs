//! The controls behind the filter: a permit opens them by filter state, which no client can write.

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::Gate;

fn refused_by_rbac(gate: &Gate, request: &Request) {
    let answer = gate.send(request);
    assert_eq!(answer.status, 403, "{request:?} -> {answer:?}");
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.details(), "rbac_access_denied_matched_policy[none]");
    assert!(gate.upstream.saw(&request.id).is_none());
}

#[test]
fn the_same_path_is_refused_without_a_permit_and_allowed_with_one() {
    let gate = Gate::standard();
    refused_by_rbac(&gate, &get("/guarded/x"));
    gate.allows(&get("/guarded/x").token(gate.mint().scope("guarded:read").sign()));
    refused_by_rbac(&gate, &get("/guarded/x"));
}

#[test]
fn the_role_that_opened_it_before_still_does() {
    let gate = Gate::standard();
    gate.passes(&get("/guarded/x").header("x-role", "admin"));
}

#[test]
fn a_header_that_looks_like_the_decision_does_nothing() {
    let gate = Gate::standard();
    let spoofed = ["wasm.breakglass_decision", "breakglass_decision", "x-breakglass-decision"]
        .iter()
        .fold(get("/guarded/x"), |request, name| request.header(name, "allow"));
    refused_by_rbac(&gate, &spoofed);
}

#[test]
fn a_permit_opens_its_own_request_and_not_the_next_on_the_connection() {
    let gate = Gate::standard();
    let mut connection = breakglass_tests::client::connect(gate.envoy.address());
    let token = gate.mint().scope("guarded:read").sign();
    assert_eq!(get("/guarded/x").token(token).send_over(&mut connection).status, 200);
    assert_eq!(get("/guarded/x").send_over(&mut connection).status, 403);
}

#[test]
fn a_refused_token_does_not_fall_back_to_the_role() {
    let gate = Gate::standard();
    let request = get("/guarded/x").header("x-role", "admin").token(gate.mint().sign());
    gate.refuses(&request, 403, "out_of_scope");
}
