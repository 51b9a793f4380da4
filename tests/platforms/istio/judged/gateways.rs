//! Ingress gateways: each way that Istio deploys them, and the pods that a selector does not reach.

use breakglass_tests::manifests::read;
use serde_json::{Value, json};

use super::chains::open_tcp;
use super::mesh::{Scenario, file, istio_objects, labels};
use super::others::request_authentication;
use super::{expect, expect_nowhere};

/// A Gateway and its routes, with every kind of server.
fn servers(namespace: &str, selector: (&str, &str)) -> Vec<Value> {
    let (name, value) = selector;
    let mut objects = read(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public}
spec:
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [a.example, b.example]
  - port: {number: 8443, name: https-a, protocol: HTTPS}
    hosts: [a.example]
    tls: {mode: SIMPLE, credentialName: a}
  - port: {number: 8443, name: https-b, protocol: HTTPS}
    hosts: [b.example]
    tls: {mode: MUTUAL, credentialName: b}
  - port: {number: 8444, name: pass, protocol: TLS}
    hosts: [p.example]
    tls: {mode: PASSTHROUGH}
  - port: {number: 7000, name: tcp, protocol: TCP}
    hosts: ['*']
  - port: {number: 9091, name: grpc, protocol: GRPC}
    hosts: ['*']
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: http}
spec:
  hosts: [a.example, b.example]
  gateways: [public]
  http: [{route: [{destination: {host: payments.payments.svc.cluster.local, port: {number: 8080}}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tcp}
spec:
  hosts: ['*']
  gateways: [public]
  tcp: [{match: [{port: 7000}], route: [{destination: {host: payments.payments.svc.cluster.local, port: {number: 7000}}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pass}
spec:
  hosts: [p.example]
  gateways: [public]
  tls: [{match: [{port: 8444, sniHosts: [p.example]}], route: [{destination: {host: payments.payments.svc.cluster.local, port: {number: 7000}}}]}]",
    )
    .unwrap();
    for object in &mut objects {
        object["metadata"]["namespace"] = json!(namespace);
    }
    objects[0]["spec"]["selector"] = json!({name: value});
    objects
}

const ISTIOCTL: (&str, &str) = ("istio", "ingressgateway");
const HELM: (&str, &str) = ("istio", "ingress");

fn gateway(overlay: &str, namespace: &str, label: (&str, &str)) -> Scenario {
    let objects = [istio_objects(overlay), servers(namespace, label)].concat();
    Scenario::with(objects).gateway(namespace, "ingress", "10.1.1.1", &labels(label.0, label.1))
}

/// All kinds of servers are there, and each is guarded.
fn is_guarded(scenario: &Scenario) {
    let generated = scenario.generate();
    let chains = generated.entrances("ingress");
    let named = |part: &str| {
        let found = chains.iter().filter(|chain| chain.name.contains(part));
        found.filter(|chain| chain.manager.is_some()).count()
    };
    for part in ["0.0.0.0_80/", "a.example", "b.example", "0.0.0.0_9091/"] {
        assert_eq!(named(part), 1, "{part}");
    }
    assert!(chains.iter().any(|chain| chain.manager.is_none()), "TCP and PASSTHROUGH");
    expect(&chains, &[]);
    // TCP where the policies name the port; PASSTHROUGH is TCP too, and closed.
    assert_eq!(open_tcp(&chains), ["0.0.0.0_7000/"]);
    assert!(generated.cluster("ingress", "breakglass-approvals").is_some());
}

/// The overlay that is shipped for a gateway of one's own.
pub(super) fn shipped() -> Scenario {
    gateway("gateway", "istio-ingress", ISTIOCTL)
}

#[test]
fn the_gateway_that_is_shipped() {
    is_guarded(&shipped());
}

#[test]
fn the_gateway_of_istioctl() {
    is_guarded(&gateway("gateway-istioctl", "istio-system", ISTIOCTL));
    // The other overlay does not reach it.
    let other = gateway("gateway", "istio-system", ISTIOCTL);
    expect_nowhere(&other.generate().entrances("ingress"));
}

#[test]
fn the_gateway_of_helm() {
    is_guarded(&gateway("gateway-helm", "istio-ingress", HELM));
    let other = gateway("gateway", "istio-ingress", HELM);
    expect_nowhere(&other.generate().entrances("ingress"));
}

/// One more port of the Service `ingress`.
fn port(scenario: &mut Scenario, port: &Value) {
    let is_service = |object: &&mut Value| {
        object["kind"] == "Service" && object["metadata"]["name"] == "ingress"
    };
    let service = scenario.kubernetes.iter_mut().find(is_service).unwrap();
    service["spec"]["ports"].as_array_mut().unwrap().push(port.clone());
}

/// HTTP/3 comes by a listener of its own, on UDP.
#[test]
fn a_gateway_with_http3() {
    let mut scenario = shipped();
    scenario.features.push("PILOT_ENABLE_QUIC_LISTENERS");
    port(
        &mut scenario,
        &json!({"name": "http3", "port": 8443, "targetPort": 8443, "protocol": "UDP"}),
    );
    let mut chains = scenario.generate().entrances("ingress");
    let quic = |chain: &super::Chain| chain.name.starts_with("udp_");
    assert!(chains.iter().any(quic), "no listener on UDP");
    expect(&chains, &[]);
    chains.retain(quic);
    assert!(chains.iter().all(|chain| chain.manager.is_some()));
}

/// What passes a gateway for other clusters of the mesh (AUTO_PASSTHROUGH) is mutual TLS that ends in a
/// sidecar: neither breakglass nor a policy of the gateway sees it.
#[test]
fn a_gateway_between_clusters() {
    let mut scenario = shipped();
    let server = json!({"port": {"number": 15443, "name": "tls", "protocol": "TLS"},
        "tls": {"mode": "AUTO_PASSTHROUGH"}, "hosts": ["*.local"]});
    let gateway = scenario.istio.iter_mut().find(|object| object["kind"] == "Gateway").unwrap();
    gateway["spec"]["servers"].as_array_mut().unwrap().push(server);
    port(&mut scenario, &json!({"name": "tls-mesh", "port": 15443, "targetPort": 15443}));
    let chains = scenario.generate().entrances("ingress");
    expect(&chains, &[]);
    let (between, others): (Vec<&str>, Vec<&str>) =
        open_tcp(&chains).into_iter().partition(|name| name.starts_with("0.0.0.0_15443/"));
    assert!(!between.is_empty() && between.iter().all(|name| name.contains(" istio,")));
    assert_eq!(others, ["0.0.0.0_7000/"]);
}

/// A Gateway's selector crosses namespaces, an EnvoyFilter's does not.
#[test]
fn a_second_ingress_in_another_namespace_is_open() {
    let label = labels(ISTIOCTL.0, ISTIOCTL.1);
    let scenario = gateway("gateway", "istio-ingress", ISTIOCTL);
    let generated = scenario.gateway("team-a", "second", "10.1.1.2", &label).generate();
    expect(&generated.entrances("ingress"), &[]);
    let second = generated.entrances("second");
    assert!(second.iter().any(|chain| chain.name.contains("a.example")), "it serves the host");
    expect_nowhere(&second);
}

/// From the mesh's root namespace it does.
#[test]
fn a_second_ingress_in_another_namespace_is_guarded_from_the_root_namespace() {
    let label = labels(ISTIOCTL.0, ISTIOCTL.1);
    let scenario = gateway("gateway-istioctl", "istio-system", ISTIOCTL);
    let scenario = scenario.gateway("team-a", "second", "10.1.1.2", &label);
    let generated = scenario.gateway("istio-ingress", "third", "10.1.1.3", &label).generate();
    for proxy in ["ingress", "second", "third"] {
        expect(&generated.entrances(proxy), &[]);
        let chains = generated.entrances(proxy);
        let http = chains.iter().filter(|chain| chain.manager.is_some());
        // The policies cross namespaces as well.
        assert!(http.clone().count() >= 4);
        for chain in http {
            let rbac = chain.http_filters().iter().filter(|name| name.ends_with(".rbac")).count();
            assert_eq!(rbac, 2, "DENY and ALLOW: {}: {:?}", proxy, chain.http_filters());
        }
    }
}

/// Both would put it into the chain twice.
#[test]
fn a_gateway_that_two_overlays_select_has_it_twice() {
    let mut scenario = gateway("gateway-istioctl", "istio-ingress", ISTIOCTL);
    scenario.istio.extend(istio_objects("gateway"));
    let chains = scenario.generate().entrances("ingress");
    let http = chains.iter().filter(|chain| chain.manager.is_some());
    assert!(http.clone().all(|chain| chain.place(super::FILTER) == super::Place::Twice));
}

#[test]
fn a_gateway_with_authentication_and_custom_authorization() {
    let mut scenario = gateway("gateway", "istio-ingress", ISTIOCTL);
    scenario.istio.extend(request_authentication("istio-ingress", ISTIOCTL));
    let mut custom = file("ext-authz.yaml");
    custom[0]["metadata"]["namespace"] = json!("istio-ingress");
    custom[0]["spec"]["selector"]["matchLabels"] = labels(ISTIOCTL.0, ISTIOCTL.1);
    scenario.istio.extend(custom);
    let chains = scenario.generate().entrances("ingress");
    let all = ["envoy.filters.http.ext_authz", "envoy.filters.http.jwt_authn"];
    let has = |filter: &str| {
        chains.iter().any(|chain| chain.http_filters().iter().any(|name| name == filter))
    };
    assert!(all.into_iter().all(has));
    expect(&chains, &[]);
}

/// A Gateway of the Gateway API, its route, and the pods that Istio deploys for it.
fn gateway_api(overlay: &str) -> Scenario {
    let label = "gateway.networking.k8s.io/gateway-name";
    let mut scenario = Scenario::with(istio_objects(overlay));
    let objects = read(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: istio}
spec: {controllerName: istio.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: istio-ingress}
spec:
  gatewayClassName: istio
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: payments, namespace: payments}
spec:
  parentRefs: [{name: public, namespace: istio-ingress}]
  hostnames: [a.example]
  rules: [{backendRefs: [{name: payments, port: 8080}]}]
---
apiVersion: v1
kind: Namespace
metadata: {name: payments}
---
apiVersion: v1
kind: Namespace
metadata: {name: istio-ingress}",
    );
    scenario.kubernetes.extend(objects.unwrap());
    scenario.gateway("istio-ingress", "public-istio", "10.1.1.4", &labels(label, "public"))
}

#[test]
fn a_gateway_of_the_gateway_api() {
    let chains = gateway_api("gateway-api").generate().entrances("public-istio");
    expect(&chains, &[]);
    expect_nowhere(&gateway_api("gateway").generate().entrances("public-istio"));
}
