//! CONNECT through a real Envoy: the proxy of a client that takes the gate for a forward proxy.

use breakglass_tests::client::request;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::wait::until;
use serde_json::json;

use crate::carriers::manager;

/// A gate whose Envoy takes CONNECT, and whose first scope names it.
fn gate(methods: serde_json::Value) -> Gate {
    Plan::standard().set("/scopes/0/methods", methods).start_with(|settings| {
        let mut bootstrap = settings.bootstrap("".as_ref());
        let manager = manager(&mut bootstrap);
        manager["upgrade_configs"] = json!([{"upgrade_type": "CONNECT"}]);
        let route = json!({"name": "tunnel", "match": {"connect_matcher": {}}, "route": {
            "cluster": "upstream",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}});
        let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
        routes.as_array_mut().unwrap().insert(0, route);
        bootstrap.to_string()
    })
}

#[test]
fn a_tunnel_under_a_token_is_out_of_scope_and_the_answer_says_what_to_do() {
    // RBAC lets it through; the ceiling of the standard configuration could be meant.
    let gate = gate(json!(["GET", "CONNECT"]));
    let tunnel = || request("CONNECT", "orders.internal:443").host("orders.internal:443");
    let answer = gate.send(&tunnel().token(gate.mint().sign()));
    assert_eq!((answer.status, &answer.json()["reason"]), (403, &json!("ceiling")));
    until("the warning", || {
        gate.envoy.log().contains("scopes (`orders:read`): `methods` names `CONNECT`").then_some(())
    });
    gate.has_its_first_vms();
    drop(gate);
    let gate = self::open();
    let answer = gate.send(&tunnel().token(gate.mint().sign()));
    let problem = answer.json();
    assert_eq!((answer.status, &problem["reason"]), (403, &json!("out_of_scope")), "{answer:?}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("no grant covers CONNECT") && detail.contains("upgrades"), "{detail}");
    assert!(!gate.envoy.log().contains("names `CONNECT`"));
    gate.has_its_first_vms();
}

/// The same without a ceiling, and with the usual methods.
fn open() -> Gate {
    let plan = Plan::standard().filter(|filter| {
        filter.as_object_mut().unwrap().remove("ceiling");
    });
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap("".as_ref());
        manager(&mut bootstrap)["upgrade_configs"] = json!([{"upgrade_type": "CONNECT"}]);
        bootstrap.to_string()
    })
}
