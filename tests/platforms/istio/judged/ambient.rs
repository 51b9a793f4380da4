//! The ambient mesh: a waypoint, and a sidecar that is reached by its tunnels (HBONE).

use breakglass_tests::manifests::read;
use serde_json::{Value, json};

use super::chains::{Chain, Place, open_tcp};
use super::mesh::{Scenario, istio_objects, labels, proxy};
use super::{expect, expect_nowhere};

const NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A waypoint for the Service of `payments`.
fn waypoint(istio: Vec<Value>) -> Scenario {
    let mut scenario = Scenario::with(istio);
    scenario.features.push("PILOT_ENABLE_AMBIENT");
    let service = &mut scenario.kubernetes[0];
    assert_eq!(service["kind"], "Service");
    service["metadata"]["labels"] = labels("istio.io/use-waypoint", "waypoint");
    let gateway = read(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: payments}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
status:
  addresses: [{type: Hostname, value: waypoint.payments.svc.cluster.local}]
---
apiVersion: v1
kind: Namespace
metadata: {name: payments}",
    );
    scenario.kubernetes.extend(gateway.unwrap());
    let label = labels(NAME, "waypoint");
    scenario.kubernetes.push(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "waypoint", "namespace": "payments", "labels": {
            NAME: "waypoint", "istio.io/gateway-name": "waypoint",
            "gateway.istio.io/managed": "istio.io-mesh-controller"}},
        "spec": {"clusterIP": "10.96.2.1", "selector": label,
            "ports": [{"appProtocol": "hbone", "name": "mesh", "port": 15008}]}}));
    scenario.proxies = vec![proxy("waypoint", "payments", "waypoint", "10.1.2.1", &label)];
    scenario
}

/// Where CONNECT ends: the requests inside the tunnel come by main_internal.
fn tunnel(chains: &[Chain]) -> &Chain {
    let mut found = chains.iter().filter(|chain| chain.name.starts_with("connect_terminate/"));
    let (Some(chain), None) = (found.next(), found.next()) else { panic!("one connect_terminate") };
    chain
}

#[test]
fn a_waypoint() {
    let generated = waypoint(istio_objects("waypoint")).generate();
    let chains = generated.entrances("waypoint");
    let tunnel = tunnel(&chains).name.clone();
    let inside = chains.iter().filter(|chain| chain.name.starts_with("main_internal/"));
    assert!(inside.filter(|chain| chain.manager.is_some()).count() >= 2);
    expect(&chains, &[(tunnel.as_str(), Place::Missing)]);
    assert!(generated.cluster("waypoint", "breakglass-approvals").is_some());
    let open = open_tcp(&chains);
    assert!(!open.is_empty() && open.iter().all(|name| name.contains("|7000|")), "{open:?}");
    let policies = chains.iter().filter(|chain| chain.name.starts_with("main_internal/"));
    let http: Vec<&Chain> = policies.filter(|chain| chain.manager.is_some()).collect();
    let with_policies = http.iter().filter(|chain| {
        chain.http_filters().iter().filter(|name| name.ends_with(".rbac")).count() == 2
    });
    assert!(with_policies.count() >= 2, "the policies arrive");
}

/// Its pods take connections from the waypoint alone: ztunnel gets that policy, and no other of them.
#[test]
fn the_pods_of_a_waypoint_take_connections_from_it_alone() {
    let objects = istio_objects("waypoint");
    let mut scenario = waypoint(objects.clone());
    let policies = objects.into_iter().filter(|object| object["kind"] == "AuthorizationPolicy");
    scenario.kubernetes.extend(policies);
    let generated = scenario.generate();
    let [policy] = generated.ztunnel() else { panic!("{:?}", generated.ztunnel()) };
    assert_eq!(policy["name"], "by-waypoint");
    // ALLOW is protobuf's default, and left out.
    assert!(policy.get("action").is_none(), "{policy}");
    let from = r#"{"principals":[{"exact":"cluster.local/ns/payments/sa/waypoint"}]}"#;
    assert!(policy.to_string().contains(from), "{policy}");
    // The waypoint itself does not enforce it: everybody connects there.
    let chains = generated.entrances("waypoint");
    let rules: String =
        chains.iter().filter_map(|chain| chain.manager.as_ref()).map(ToString::to_string).collect();
    assert!(!rules.contains("policy[by-waypoint]"));
}

/// A selector gives a waypoint nothing, not even with the waypoint's own label.
#[test]
fn a_waypoint_gets_nothing_by_a_selector() {
    let mut own = istio_objects("sidecar");
    for object in &mut own {
        let label = labels(NAME, "waypoint");
        if object["kind"] == "EnvoyFilter" {
            object["spec"]["workloadSelector"]["labels"] = label;
        } else {
            object["spec"]["selector"]["matchLabels"] = label;
        }
    }
    for objects in [istio_objects("sidecar"), own] {
        expect_nowhere(&waypoint(objects).generate().entrances("waypoint"));
    }
}

/// `connect_terminate` is spared by name: with the filter in it, `unauthenticated: deny` would refuse
/// every tunnel.
#[test]
fn a_sidecar_that_is_reached_by_tunnels() {
    let mut scenario = Scenario::with(istio_objects("sidecar"));
    scenario.features.push("PILOT_ENABLE_AMBIENT");
    let generated = scenario.metadata(&json!({"ENABLE_HBONE": "true"})).generate();
    let chains = generated.entrances("payments");
    let tunnel = tunnel(&chains);
    let inside = chains.iter().filter(|chain| chain.name.starts_with("main_internal/"));
    assert!(inside.filter(|chain| chain.manager.is_some()).count() >= 4);
    expect(&chains, &[(tunnel.name.as_str(), Place::Missing)]);
    assert!(!tunnel.http_filters().iter().any(|name| name == "breakglass-decision"));
}

/// A TrafficExtension, which could name the waypoint, has no cluster there to ask: it is for sidecars and
/// gateways.
#[test]
fn a_traffic_extension_for_a_waypoint_has_no_cluster() {
    let mut objects = istio_objects("alternatives");
    let extension = objects.iter_mut().find(|object| object["kind"] == "TrafficExtension").unwrap();
    extension["spec"].as_object_mut().unwrap().remove("selector");
    extension["spec"]["targetRefs"] =
        json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint"}]);
    let generated = waypoint(objects).generate();
    let filter = "extensions.istio.io/trafficextension/payments.breakglass";
    let chains = generated.entrances("waypoint");
    assert!(chains.iter().any(|chain| chain.place(filter) != Place::Missing));
    assert!(generated.cluster("waypoint", "outbound|443||approvals.internal").is_none());
}
