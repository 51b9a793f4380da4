//! Where there are no namespaces: what istiod generates for the guarded workload, loaded by a plain Envoy.
//!
//! Not tested so: pilot-agent, SDS and the mutual TLS with the approval service, inbound capture, gateways, updates.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use breakglass_tests::artefacts::filter;
use breakglass_tests::client::{get, request};
use breakglass_tests::gate::Plan;
use breakglass_tests::istio::{socket, telemetry};
use breakglass_tests::policy::{APPROVER, AUDIENCE, ISSUER};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::control_plane::{for_a_plain_envoy, made, mesh};
use super::identity::{HTTP, PAYMENTS};
use super::kubectl::kustomize;
use super::kubernetes::cluster;

/// The listeners and clusters of the workload's proxy.
fn generated(istio: &[Value]) -> Value {
    let folder = TempDir::new().unwrap();
    let scenario = folder.path().join("plain.json");
    let proxy = json!({"name": PAYMENTS.name, "type": "sidecar", "ip": PAYMENTS.ip.to_string(),
        "namespace": PAYMENTS.namespace, "labels": PAYMENTS.labels(), "serviceAccount": PAYMENTS.account});
    let text = json!({"mesh": mesh(), "kubernetes": cluster(), "istio": istio, "proxies": [proxy]});
    fs::write(&scenario, text.to_string()).unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut command = Command::new(made("control-plane"));
    for_a_plain_envoy(&mut command);
    let output = command.arg("generate").arg(&out).arg(&scenario).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&fs::read(out.join("plain.json")).unwrap()).unwrap();
    made["proxies"][PAYMENTS.name].clone()
}

/// The chain of the workload's HTTP port for what comes in the clear.
fn chain(generated: &Value) -> Value {
    let listeners = generated["listeners"].as_array().unwrap();
    let inbound = listeners.iter().find(|listener| listener["name"] == "virtualInbound").unwrap();
    let chains = inbound["filter_chains"].as_array().unwrap();
    let clear = chains.iter().find(|chain| {
        let matched = &chain["filter_chain_match"];
        matched["destination_port"] == HTTP && chain.get("transport_socket").is_none()
    });
    let mut chain = clear.expect("a chain in the clear").clone();
    chain.as_object_mut().unwrap().remove("filter_chain_match");
    chain
}

/// A static configuration of what was generated: with the upstream and the service where they are, and the tests'
/// issuer, module and log.
fn configuration(generated: &Value, upstream: SocketAddr, approvals: SocketAddr) -> Value {
    let mut chain = chain(generated);
    let manager = chain["filters"].as_array_mut().unwrap().iter_mut().find_map(|filter| {
        filter["typed_config"].get("http_filters").is_some().then(|| &mut filter["typed_config"])
    });
    let manager = manager.expect("a connection manager");
    manager["preserve_external_request_id"] = json!(true);
    let log = manager["access_log"].as_array_mut().unwrap();
    log.push(telemetry());
    let filters = manager["http_filters"].as_array_mut().unwrap();
    let breakglass = filters.iter_mut().find(|filter| filter["name"] == "breakglass").unwrap();
    let config = &mut breakglass["typed_config"]["config"];
    config["vm_config"]["code"]["local"]["filename"] = json!(filter());
    config["configuration"]["value"]["issuers"][0]["issuer"] = json!(ISSUER);
    config["configuration"]["value"]["issuers"][0]["audiences"] = json!([AUDIENCE]);
    let place =
        |name: &str, address: SocketAddr| breakglass_tests::istio::cluster(name, socket(address));
    json!({
        "node": {"id": "sidecar~10.1.0.10~payments-1.payments", "cluster": "payments"},
        "admin": {"address": socket("127.0.0.1:0".parse().unwrap())},
        "static_resources": {
            "listeners": [{"name": "virtualInbound", "address": socket("127.0.0.1:0".parse().unwrap()),
                "filter_chains": [chain]}],
            "clusters": [place(&format!("inbound|{HTTP}||"), upstream), place("breakglass-approvals", approvals)],
        },
    })
}

#[test]
fn what_istiod_generates_for_the_workload_in_a_plain_envoy() {
    let generated = generated(&kustomize("envoy/istio/sidecar"));
    let service = Service::start();
    let gate = Plan::asking(&service).start_with(|settings| {
        configuration(&generated, settings.upstream, settings.approvals).to_string()
    });
    gate.passes(&get("/health"));
    let order = || get("/v1/orders/17");
    assert_eq!(gate.send(&order()).status, 403);
    assert_eq!(gate.send(&order().header("x-breakglass-grant", "grant_forged")).status, 403);
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let allowed = gate.allows(&order().token(&token));
    assert_eq!(allowed.seen.header("x-breakglass-grant"), Some(&*grant));
    gate.refuses(&request("POST", "/v1/orders").token(&token), 403, "out_of_scope");
    assert_eq!(service.run(APPROVER, &["revoke", &grant, "--reason", "a drill"]).done(), "revoked");
    until("the revocation", || (gate.send(&order().token(&token)).status == 401).then_some(()));
    gate.refuses(&order().token(&token), 401, "revoked");
}
