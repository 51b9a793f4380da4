//! `envoy/istio/alternatives/` guards on a real Envoy, and has the limits that its files name.

use breakglass_tests::artefacts;
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::istio::{cluster, filter, socket};
use breakglass_tests::manifests::{kustomization, objects};
use breakglass_tests::policy::{APPROVER, AUDIENCE, ISSUER};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use crate::istio::{SIDECAR, authenticated, with_role};

/// The filter that istiod makes of a WasmPlugin or of the `wasm` of a TrafficExtension: no VM id.
fn wasm(plugin: &Value) -> Value {
    let keys: Vec<&Value> = plugin["vmConfig"]["env"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|variable| variable["valueFrom"] == "HOST")
        .map(|variable| &variable["name"])
        .collect();
    let mut configuration = plugin["pluginConfig"].clone();
    configuration["issuers"][0]["issuer"] = json!(ISSUER);
    configuration["issuers"][0]["audiences"] = json!([AUDIENCE]);
    let config = json!({"config": {
        "name": "payments.breakglass",
        "root_id": plugin["pluginName"],
        "failure_policy": plugin["failStrategy"],
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": artefacts::filter()}},
            "environment_variables": {"host_env_keys": keys},
        },
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": configuration.to_string()},
    }});
    filter("payments.breakglass", "envoy.extensions.filters.http.wasm.v3.Wasm", config)
}

/// The name of the cluster that istiod makes of a ServiceEntry.
fn generated_cluster(objects: &[Value]) -> String {
    let entry = objects.iter().find(|object| object["kind"] == "ServiceEntry").unwrap();
    let rule = objects.iter().find(|object| object["kind"] == "DestinationRule").unwrap();
    let host = &entry["spec"]["hosts"][0];
    assert_eq!(rule["spec"]["host"], *host);
    assert_eq!(rule["spec"]["trafficPolicy"]["tls"]["subjectAltNames"], json!([host]));
    format!("outbound|{}||{}", entry["spec"]["ports"][0]["number"], host.as_str().unwrap())
}

/// A sidecar whose authorization is that of the base, with the plugin in its phase: after CUSTOM
/// authorization, of which there is none here, and before DENY and ALLOW.
fn gate(service: &Service, plugin: &Value) -> Gate {
    let alternatives = kustomization("envoy/istio/alternatives");
    let policies = kustomization("envoy/istio/sidecar");
    Plan::asking(service).start_with(|settings| {
        let mut configuration = SIDECAR.configuration(settings.upstream, &policies);
        authenticated(&mut configuration);
        let filters = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let filters = configuration.pointer_mut(&format!("{filters}/http_filters")).unwrap();
        filters.as_array_mut().unwrap().insert(1, wasm(plugin));
        let approvals = cluster(&generated_cluster(&alternatives), socket(settings.approvals));
        let clusters = &mut configuration["static_resources"]["clusters"];
        clusters.as_array_mut().unwrap().push(approvals);
        configuration.to_string()
    })
}

fn guards(plugin: &Value) {
    let service = Service::start();
    let gate = gate(&service, plugin);
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    gate.passes(&get("/health"));
    let (grant, token) = service.grant(&["orders:read"], "10m");
    // A permit, and still Istio's authorization refuses: it cannot see the decision.
    let order = || get("/v1/orders").token(&token);
    let request = order();
    assert_eq!(gate.send(&request).status, 403);
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.details(), "rbac_access_denied_matched_policy[none]");
    assert_eq!(record.audit().unwrap().text_of("reason"), Some("permit"));
    gate.allows(&with_role(order(), "orders-admin"));
    let revoked = service.run(APPROVER, &["revoke", &grant, "--reason", "orders flow again"]);
    assert_eq!(revoked.done(), "revoked");
    until("the revocation", || (gate.send(&order()).status == 401).then_some(()));
    gate.refuses(&order(), 401, "revoked");
    gate.has_its_first_vms();
}

#[test]
fn a_traffic_extension_guards() {
    let objects = kustomization("envoy/istio/alternatives");
    let extension = objects.iter().find(|object| object["kind"] == "TrafficExtension").unwrap();
    assert_eq!(extension["spec"]["phase"], "AUTHN");
    guards(&extension["spec"]["wasm"]);
}

#[test]
fn a_wasm_plugin_says_the_same_as_the_traffic_extension() {
    let mut plugin = objects("envoy/istio/alternatives/wasmplugin.yaml").remove(0)["spec"].take();
    let mut extension =
        objects("envoy/istio/alternatives/trafficextension.yaml").remove(0)["spec"].take();
    let mut wasm = extension["wasm"].take();
    for member in ["selector", "phase"] {
        assert_eq!(plugin[member], extension[member].take());
        wasm[member] = plugin[member].take();
        plugin[member] = wasm[member].clone();
    }
    assert_eq!(plugin, wasm);
}
