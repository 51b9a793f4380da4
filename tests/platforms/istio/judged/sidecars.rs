//! A workload with a sidecar: every way in that its Service, a Sidecar object or the mesh can make.

use std::fs;

use breakglass_tests::manifests::read;
use serde_json::{Value, json};

use super::chains::{Chain, Place, admits_connection, open_tcp};
use super::mesh::{Scenario, copy_of, istio_objects, kustomized, labels, workload};
use super::{changed, envoy_filter, expect, expect_nowhere};

fn objects(yaml: &str) -> Vec<Value> {
    read(yaml).unwrap()
}

/// The overlay with these objects as well.
fn sidecar_and(more: Vec<Value>) -> Scenario {
    Scenario::with([istio_objects("sidecar"), more].concat())
}

fn strict() -> Vec<Value> {
    objects(
        "apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}",
    )
}

/// Whether there is an HTTP chain for each of these ports.
fn are_http(chains: &[Chain], ports: &[u16]) {
    for port in ports {
        let of_port = chains.iter().filter(|chain| is_of(chain, *port));
        assert!(of_port.filter(|chain| chain.manager.is_some()).count() > 0, "{port}");
    }
}

/// Istio names a chain by address and port.
fn is_of(chain: &Chain, port: u16) -> bool {
    let name = chain.name.split(' ').next().unwrap();
    name.ends_with(&format!("_{port}"))
}

/// Whether the TCP chains of a port, of which there are some, admit a connection.
fn admits(chains: &[Chain], port: u16) -> bool {
    let of_port: Vec<&Chain> = chains.iter().filter(|chain| is_of(chain, port)).collect();
    assert!(!of_port.is_empty() && of_port.iter().all(|chain| chain.manager.is_none()), "{port}");
    of_port.iter().all(|chain| admits_connection(chain, port))
}

#[test]
fn permissive() {
    let generated = sidecar_and(Vec::new()).generate();
    let chains = generated.entrances("payments");
    are_http(&chains, &[8080, 9090, 8090, 7070]);
    // Both with the mesh's mutual TLS and without, and what no Service names.
    assert!(chains.iter().any(|chain| chain.name.contains(" tls")));
    let others =
        |chain: &&Chain| chain.name.starts_with("virtualInbound/virtualInbound-catchall-http");
    assert!(chains.iter().any(|chain| others(&chain)));
    expect(&chains, &[]);
}

#[test]
fn strict_mutual_tls() {
    let chains = sidecar_and(strict()).generate().entrances("payments");
    are_http(&chains, &[8080, 9090, 8090, 7070]);
    expect(&chains, &[]);
}

#[test]
fn tcp_ports_are_open_where_the_policies_name_them() {
    let chains = sidecar_and(Vec::new()).generate().entrances("payments");
    assert!(admits(&chains, 7000));
    assert!(!admits(&chains, 7001), "another TCP port stays closed");
    // And so does what is not HTTP on a port whose protocol Istio finds out, and on every other.
    assert!(chains.iter().any(|chain| is_of(chain, 7070) && chain.manager.is_none()));
    let open = open_tcp(&chains);
    assert!(!open.is_empty() && open.iter().all(|name| name.contains("_7000")), "{open:?}");
    // Policies that name no port close them all.
    let mut without = istio_objects("sidecar");
    for policy in without.iter_mut().filter(|object| object["kind"] == "AuthorizationPolicy") {
        let rules = policy["spec"]["rules"].as_array_mut().unwrap();
        rules.retain(|rule| rule.pointer("/to/0/operation/ports").is_none());
        for rule in rules {
            if let Some(operation) = rule.pointer_mut("/to/0/operation") {
                operation.as_object_mut().unwrap().remove("notPorts");
            }
        }
    }
    let chains = Scenario::with(without).generate().entrances("payments");
    assert_eq!(open_tcp(&chains), Vec::<&str>::new());
    assert!(!admits(&chains, 7000));
}

/// A second Service for the same pods says that a port is TCP: whichever of the two Istio believes, nothing
/// goes by breakglass and the policies.
#[test]
fn a_second_service_that_calls_an_http_port_tcp() {
    for (name, age) in [("earlier", "2020-01-01T00:00:00Z"), ("later", "2030-01-01T00:00:00Z")] {
        let mut scenario = sidecar_and(Vec::new());
        scenario.kubernetes[0]["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
        let ports = json!([{"name": "tcp-orders", "port": 8080, "targetPort": 8080}]);
        let mut second =
            workload("payments", name, "10.1.0.10", &labels("app", "payments"), &ports);
        second.remove(1);
        second[0]["metadata"]["creationTimestamp"] = json!(age);
        second[0]["spec"]["clusterIP"] = json!("10.96.9.9");
        scenario.kubernetes.extend(second);
        let chains = scenario.generate().entrances("payments");
        println!(
            "{name}: HTTP {}",
            chains.iter().any(|one| is_of(one, 8080) && one.manager.is_some())
        );
        expect(&chains, &[]);
        assert!(open_tcp(&chains).iter().all(|open| open.contains("_7000")), "{name}");
    }
}

/// Without policies the filter guards what Istio takes for HTTP, and nothing else: on a port whose
/// protocol Istio finds out for itself, and on one that no Service names, everything else goes by.
#[test]
fn without_policies_what_is_not_http_goes_by() {
    let mut objects = istio_objects("sidecar");
    objects.retain(|object| object["kind"] == "EnvoyFilter");
    let chains = Scenario::with(objects).generate().entrances("payments");
    expect(&chains, &[]);
    let open = open_tcp(&chains);
    let is_open = |part: &str| open.iter().any(|name| name.contains(part));
    assert!(is_open("_7070") && is_open("virtualInbound/virtualInbound "), "{open:?}");
    assert!(!is_open("_8080") && !is_open("_9090"), "{open:?}");
}

#[test]
fn a_sidecar_object_that_limits_what_is_sent() {
    let limited = objects(
        "apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: payments, namespace: payments}
spec:
  workloadSelector: {labels: {app: payments}}
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  egress: [{hosts: [\"./*\"]}]",
    );
    let generated = sidecar_and(limited).generate();
    expect(&generated.entrances("payments"), &[]);
    // The approval service is not among the hosts, and its cluster is there.
    assert!(generated.cluster("payments", "breakglass-approvals").is_some());
    let service = "outbound|8300||approvals.breakglass.svc.cluster.local";
    assert!(generated.cluster("payments", service).is_none());
}

/// A Sidecar object with listeners of its own: captured, of TLS that ends in the workload, and bound.
fn listeners() -> Vec<Value> {
    objects(
        "apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: payments, namespace: payments}
spec:
  workloadSelector: {labels: {app: payments}}
  ingress:
  - port: {number: 8080, protocol: HTTP, name: http}
    defaultEndpoint: 127.0.0.1:8081
  - port: {number: 9443, protocol: HTTPS, name: https}
    defaultEndpoint: 127.0.0.1:8081
  - port: {number: 8088, protocol: HTTP, name: http-bound}
    bind: 10.1.0.10
    defaultEndpoint: 127.0.0.1:8081
    captureMode: NONE",
    )
}

#[test]
fn a_sidecar_object_with_listeners_of_its_own() {
    let chains = sidecar_and(listeners()).generate().entrances("payments");
    are_http(&chains, &[8080, 8088]);
    expect(&chains, &[]);
    // TLS that ends in the workload is TCP to the proxy: closed, where the policies do not name its port.
    assert!(!admits(&chains, 9443));
}

/// TLS of clients outside of the mesh, which the sidecar ends.
#[test]
fn a_sidecar_object_with_tls_of_its_own() {
    let mut tls = listeners();
    tls[0]["spec"]["ingress"] = json!([{
        "port": {"number": 9443, "protocol": "HTTPS", "name": "https"},
        "defaultEndpoint": "127.0.0.1:8081",
        "tls": {"mode": "SIMPLE", "serverCertificate": "/etc/c.pem", "privateKey": "/etc/k.pem"},
    }]);
    let permissive = "apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: payments, namespace: payments}
spec:
  selector: {matchLabels: {app: payments}}
  mtls: {mode: STRICT}
  portLevelMtls: {9443: {mode: DISABLE}}";
    tls.extend(objects(permissive));
    let mut scenario = sidecar_and(tls);
    scenario.features.push("ENABLE_TLS_ON_SIDECAR_INGRESS");
    let chains = scenario.generate().entrances("payments");
    are_http(&chains, &[9443]);
    expect(&chains, &[]);
}

#[test]
fn traffic_that_is_not_intercepted() {
    let scenario = sidecar_and(listeners()).metadata(&json!({"INTERCEPTION_MODE": "NONE"}));
    let chains = scenario.generate().entrances("payments");
    assert!(!chains.iter().any(|chain| chain.name.starts_with("virtualInbound")));
    are_http(&chains, &[8080, 8088]);
    expect(&chains, &[]);
}

#[test]
fn a_workload_with_another_label_is_not_guarded() {
    let mut scenario = sidecar_and(Vec::new());
    scenario.proxies[0]["labels"] = labels("app.kubernetes.io/name", "payments");
    expect_nowhere(&scenario.generate().entrances("payments"));
}

/// The judging sees an object that is wrong.
#[test]
#[should_panic(expected = "the HTTP chains in which breakglass is not the first filter")]
fn a_broken_selector_is_seen() {
    let mut broken = istio_objects("sidecar");
    let index = envoy_filter(&broken);
    broken[index] =
        changed(broken[index].clone(), "/spec/workloadSelector/labels/app", json!("paymets"));
    expect(&Scenario::with(broken).generate().entrances("payments"), &[]);
}

/// Nor does it take a chain for guarded in which a part of the EnvoyFilter does not arrive.
#[test]
#[should_panic(expected = "delayed_close_timeout")]
fn a_patch_that_does_not_arrive_is_seen() {
    let mut broken = istio_objects("sidecar");
    let index = envoy_filter(&broken);
    let close = "/spec/configPatches/5/patch/value/typed_config/delayed_close_timeout";
    broken[index] = changed(broken[index].clone(), close, json!("1s"));
    expect(&Scenario::with(broken).generate().entrances("payments"), &[]);
}

#[test]
fn an_exception_that_is_none_is_seen() {
    let chains = sidecar_and(Vec::new()).generate().entrances("payments");
    let stale = [("virtualInbound/0.0.0.0_8080", Place::Missing)];
    let judged = std::panic::catch_unwind(|| expect(&chains, &stale));
    assert!(judged.is_err());
}

/// What depends on the mesh is changed in one file, and arrives in the cluster.
#[test]
fn the_trust_domain_and_the_namespace_are_changed_in_one_place() {
    let work = copy_of(&["base", "sidecar"]);
    let mesh = work.path().join("base/mesh.yaml");
    let text = fs::read_to_string(&mesh).unwrap();
    let text = text.replace("trustDomain: cluster.local", "trustDomain: example.org");
    let text = text.replace("namespace: breakglass", "namespace: security");
    fs::write(&mesh, text.replace("serviceAccount: approvals", "serviceAccount: keeper")).unwrap();
    let objects = kustomized(&work.path().join("sidecar"));
    let generated = Scenario::with(objects).generate();
    let cluster = generated.cluster("payments", "breakglass-approvals").unwrap().to_string();
    assert!(cluster.contains("spiffe://example.org/ns/security/sa/keeper"), "{cluster}");
    assert!(
        cluster.contains("outbound_.8300_._.approvals.security.svc.cluster.local"),
        "{cluster}"
    );
    let left = cluster.contains(".breakglass.svc") || cluster.contains("/ns/breakglass");
    assert!(!left, "{cluster}");
    let chains = generated.entrances("payments");
    let filters = chains.iter().filter_map(|chain| chain.manager.as_ref());
    let text: String = filters.map(ToString::to_string).collect();
    assert!(text.contains("approvals.security.svc.cluster.local"));
    assert!(!text.contains("approvals.breakglass.svc"));
}
