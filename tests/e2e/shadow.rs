//! Shadow mode: everything is decided and recorded, nothing is refused.

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::upstream::HANGING;
use breakglass_tests::wait::timed;
use serde_json::json;

fn shadow() -> Gate {
    Plan::standard().set("/enforcement", json!("shadow")).alone().start()
}

/// The request reaches the upstream, without a permit, and the record says what would have been.
fn shadows(gate: &Gate, request: &Request, reason: &str) {
    let answer = gate.send(request);
    assert_eq!(answer.status, 200, "{request:?} -> {answer:?}");
    let seen = gate.upstream.saw(&request.id).unwrap();
    assert_eq!(seen.header("x-breakglass-grant"), None);
    assert_eq!(seen.header("x-breakglass-subject"), None);
    let record = gate.envoy.record(&request.id);
    assert_ne!(record.decision(), Some("allow"), "{}", record.line());
    let audit = record.audit().unwrap();
    assert_eq!(audit.text_of("decision"), Some("shadow_deny"), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some(reason), "{}", audit.text);
    assert_eq!(audit.of("status"), 200);
    assert!(audit.is_complete(), "{}", audit.text);
}

#[test]
fn what_would_be_refused_passes_and_is_recorded() {
    let gate = shadow();
    let token = gate.mint().sign();
    shadows(&gate, &get("/v1/orders").token("garbage"), "token_malformed");
    shadows(&gate, &get("/v1/orders").token(gate.mint().issued(700, 600).sign()), "token_expired");
    shadows(&gate, &get("/v1/invoices").token(&token), "out_of_scope");
    shadows(&gate, &get("/v1//orders").token(&token), "ambiguous_path");
    shadows(&gate, &get("/admin/users"), "token_missing");
    gate.counts("shadow_deny", "out_of_scope", 1);
}

#[test]
fn what_would_be_allowed_is_allowed_and_recorded_as_such() {
    let gate = shadow();
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
}

#[test]
fn what_would_not_be_touched_is_not_recorded() {
    let gate = shadow();
    gate.passes(&get("/v1/orders"));
}

#[test]
fn the_controls_behind_the_filter_still_refuse_what_is_only_shadowed() {
    let gate = shadow();
    let request = get("/guarded/x").token(gate.mint().sign());
    assert_eq!(gate.send(&request).status, 403);
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.details(), "rbac_access_denied_matched_policy[none]");
    assert_eq!(record.audit().unwrap().text_of("decision"), Some("shadow_deny"));
}

#[test]
fn an_outage_is_shadowed_like_any_refusal() {
    let gate = Plan::standard().set("/enforcement", json!("shadow")).approvals_down().start();
    shadows(&gate, &get("/v1/orders").token(gate.mint().sign()), "revocation_unknown");
}

#[test]
fn envoy_itself_ends_a_request_whose_grant_has_ended() {
    // In shadow mode the filter cuts nothing, as if its VM were gone.
    let gate = Plan::standard()
        .set("/enforcement", json!("shadow"))
        .set("/clock_skew", json!("0s"))
        .start();
    let request = get(format!("/v1/orders{HANGING}")).token(gate.mint().issued(597, 600).sign());
    let (answer, took) = timed(|| gate.send(&request));
    assert_eq!(answer.status, 504, "{answer:?}");
    assert!(took.as_secs() < 6, "{took:?}");
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.flags(), "UMSDR");
    assert_eq!(record.audit().unwrap().text_of("response_flags"), Some("UMSDR"));
}
