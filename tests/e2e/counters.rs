//! What is counted, and how Prometheus sees it.

use breakglass_tests::approvals::{INTROSPECTION, Reply};
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::wait::until;
use serde_json::json;

#[test]
fn decisions_are_counted_by_their_reason() {
    let gate = Gate::alone();
    for _ in 0..3 {
        gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    }
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");
    gate.refuses(&get("/admin/x"), 401, "token_missing");
    gate.passes(&get("/v1/orders"));
    gate.passes(&get("/v1/orders"));
    gate.counts("pass", "no_token", 2);
    gate.counts("allow", "permit", 3);
    gate.counts("deny", "out_of_scope", 1);
    gate.counts("deny", "token_missing", 1);
}

#[test]
fn answers_of_the_service_are_counted_by_their_kind() {
    let gate = Plan::standard().remote_keys_only("300s").alone().start();
    let counts = |name: &str, at_least: u64| {
        until(&format!("{name} to be {at_least}"), || {
            let found = gate.envoy.stats().of(&format!("wasmcustom.breakglass.{name}"));
            (found >= at_least).then_some(())
        });
    };
    counts("jwks.result.ok", 1);
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    counts("introspection.result.ok", 1);
    gate.approvals.reply(INTROSPECTION, Reply::json(&json!({"active": false})));
    gate.refuses(&get("/v1/orders").token(gate.mint().sign()), 401, "revoked");
    counts("introspection.result.inactive", 1);
    gate.approvals.reply(INTROSPECTION, Reply::status(500, ""));
    gate.refuses(&get("/v1/orders").token(gate.mint().sign()), 503, "revocation_unknown");
    counts("introspection.result.failed", 1);
}

#[test]
fn prometheus_sees_decisions_with_labels() {
    let gate = Gate::alone();
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");
    let line =
        r#"breakglass_decision{breakglass_decision="deny",breakglass_reason="out_of_scope"} 1"#;
    until("the decision in Prometheus' format", || {
        let page = gate.envoy.admin("/stats/prometheus").body;
        String::from_utf8_lossy(&page).lines().any(|found| found == line).then_some(())
    });
}
