//! By which rules a request was decided is in Envoy's log, where Envoy logs that much and not before.

use breakglass_tests::bootstrap::Delivery;
use breakglass_tests::client::{Request, get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::standard;
use breakglass_tests::wait::until;
use serde_json::json;

/// The lines about requests that are there so far.
fn lines(gate: &Gate) -> Vec<String> {
    let log = gate.envoy.log();
    log.lines().filter(|line| line.contains("breakglass: request ")).map(str::to_owned).collect()
}

/// The line that says all of this.
fn line(gate: &Gate, parts: &[&str]) -> String {
    let says = |line: &String| parts.iter().all(|part| line.contains(part));
    until(&format!("a line with {parts:?}"), || lines(gate).into_iter().find(says))
}

#[test]
fn the_log_says_by_which_rules_where_envoy_logs_that_much() {
    let mut gate = Plan::standard().alone().delivered_by(Delivery::Extension).start();
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    let set = request("POST", "/logging?wasm=debug").send(gate.envoy.admin_address());
    assert_eq!(set.status, 200);
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    assert_eq!(lines(&gate), Vec::<String>::new(), "the filter looks when it is configured");

    let mut next = standard(&[&gate.key]);
    next["scopes"][0]["paths"].as_array_mut().unwrap().push(json!("/v1/invoices"));
    gate.envoy.update(&next.to_string());
    let invoices = || get("/v1/invoices").token(gate.mint().sign());
    until("the new configuration", || (gate.send(&invoices()).status == 200).then_some(()));
    line(&gate, &["signature=passed", "scope=passed", "standing=passed"]);

    let secret = gate.mint().sign();
    gate.refuses(&get("/v1/ledger").token(secret.clone()), 403, "out_of_scope");
    let refused = line(&gate, &["scope=refused(out_of_scope)"]);
    assert!(refused.contains("signature=passed"), "{refused}");
    assert!(!refused.contains("standing="), "what comes after it was not looked at: {refused}");
    let unsigned: Request = get("/v1/orders").token("not.a.token");
    gate.refuses(&unsigned, 401, "token_malformed");
    line(&gate, &["token_form=refused(token_malformed)"]);
    assert!(!gate.envoy.log().contains(&secret), "a token in the log");
}
