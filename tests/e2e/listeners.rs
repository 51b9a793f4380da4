//! Two listeners of one Envoy, each with a configuration of its own.

use std::net::SocketAddr;

use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::wait::until;
use serde_json::{Value, json};

const WITHDRAWN: &str = "give each configuration a plugin name of its own";

/// A gate with a second listener, whose filter opens invoices and nothing else, under this plugin name.
fn beside(name: &str) -> (Gate, SocketAddr) {
    let gate = Plan::standard().start_with(|settings| {
        let mut bootstrap = settings.bootstrap("".as_ref());
        let mut second = bootstrap["static_resources"]["listeners"][0].clone();
        second["name"] = json!("second");
        let filter = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";
        let filter = second.pointer_mut(filter).unwrap();
        filter["name"] = json!(name);
        let text = filter["configuration"]["value"].as_str().unwrap();
        let mut configuration: Value = serde_json::from_str(text).unwrap();
        configuration["scopes"][0]["paths"] = json!(["/v1/invoices"]);
        filter["configuration"]["value"] = json!(configuration.to_string());
        bootstrap["static_resources"]["listeners"].as_array_mut().unwrap().push(second);
        bootstrap.to_string()
    });
    let listeners = gate.envoy.admin("/listeners?format=json").json();
    let of = |listener: &Value| {
        let socket = &listener["local_address"]["socket_address"];
        let port = socket["port_value"].as_u64().unwrap();
        (listener["name"] == "second").then(|| format!("127.0.0.1:{port}").parse().unwrap())
    };
    let second = listeners["listener_statuses"].as_array().unwrap().iter().find_map(of);
    (gate, second.unwrap())
}

#[test]
fn with_a_plugin_name_of_its_own_each_judges_by_its_own_configuration() {
    let (gate, second) = beside("breakglass-second");
    for _ in 0..3 {
        gate.allows(&get("/v1/orders").token(gate.mint().sign()));
        let invoices = get("/v1/invoices").token(gate.mint().sign());
        assert_eq!(invoices.send(second).status, 200);
        gate.refuses(&invoices.renewed(), 403, "out_of_scope");
        let orders = get("/v1/orders").token(gate.mint().sign()).send(second);
        assert_eq!((orders.status, &orders.json()["reason"]), (403, &json!("out_of_scope")));
    }
    assert!(!gate.envoy.log().contains(WITHDRAWN));
    gate.has_its_first_vms();
}

#[test]
fn under_one_plugin_name_they_count_as_an_update_and_the_log_says_so() {
    let (gate, second) = beside("breakglass");
    // Which of the two came later is Envoy's to say.
    let orders = get("/v1/orders").token(gate.mint().sign());
    let invoices = get("/v1/invoices").token(gate.mint().sign());
    let answers = [gate.send(&orders), invoices.send(second)];
    let reasons = answers.map(|answer| match answer.status {
        200 => "permit".to_owned(),
        _ => answer.json()["reason"].as_str().unwrap().to_owned(),
    });
    assert!(reasons.contains(&"scope_withdrawn".to_owned()), "{reasons:?}");
    until("the log to explain it", || gate.envoy.log().contains(WITHDRAWN).then_some(()));
    gate.send(&orders.renewed()).status.checked_sub(200).unwrap();
    assert_eq!(gate.envoy.log().matches(WITHDRAWN).count(), 1);
    // Without a token nothing is different.
    gate.passes(&get("/v1/orders"));
    gate.has_its_first_vms();
}
