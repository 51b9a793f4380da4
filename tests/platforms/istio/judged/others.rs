//! Beside other people's objects: EnvoyFilters, plugins, authentication and authorization.

use breakglass_tests::manifests::read;
use serde_json::{Value, json};

use super::chains::Place;
use super::mesh::{Scenario, file, istio_objects};
use super::{changed, expect};

/// An EnvoyFilter of somebody else, which puts a filter of its own name first.
fn first(name: &str, namespace: &str, priority: i64) -> Value {
    let lua = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua";
    let manager = "envoy.filters.network.http_connection_manager";
    json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
    "metadata": {"name": name, "namespace": namespace},
    "spec": {"priority": priority, "configPatches": [{"applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND",
            "listener": {"filterChain": {"filter": {"name": manager}}}},
        "patch": {"operation": "INSERT_FIRST",
            "value": {"name": name, "typed_config": {"@type": lua}}}}]}})
}

pub(super) fn request_authentication(namespace: &str, label: (&str, &str)) -> Vec<Value> {
    let (name, value) = label;
    let selector = json!({"matchLabels": {name: value}});
    let mut objects = read(
        "apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: people}
spec:
  jwtRules:
  - issuer: https://identity.internal
    jwks: '{\"keys\":[]}'
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: people}
spec:
  action: ALLOW
  rules:
  - from: [{source: {requestPrincipals: [\"*\"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-trace}
spec:
  action: DENY
  rules:
  - to: [{operation: {methods: [TRACE]}}]",
    )
    .unwrap();
    for object in &mut objects {
        object["metadata"]["namespace"] = json!(namespace);
        object["spec"]["selector"] = selector.clone();
    }
    objects
}

fn plugin() -> Vec<Value> {
    read(
        "apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: other, namespace: payments}
spec:
  selector: {matchLabels: {app: payments}}
  phase: AUTHN
  url: oci://registry.internal/other:1
  pluginName: other",
    )
    .unwrap()
}

fn beside(others: Vec<Value>) -> Vec<super::Chain> {
    let scenario = Scenario::with([istio_objects("sidecar"), others].concat());
    scenario.generate().entrances("payments")
}

/// Whether the other filter is there, so that the scenario is one.
fn has(chains: &[super::Chain], filter: &str) {
    let found = |chain: &super::Chain| chain.http_filters().iter().any(|name| name == filter);
    assert!(chains.iter().any(found), "no {filter}");
}

#[test]
fn an_envoy_filter_of_the_root_namespace_that_comes_first() {
    let mut objects = vec![first("earlier", "istio-system", 0)];
    objects.extend(istio_objects("sidecar"));
    objects.push(first("later", "istio-system", 0));
    let chains = Scenario::with(objects).generate().entrances("payments");
    has(&chains, "earlier");
    has(&chains, "later");
    expect(&chains, &[]);
}

#[test]
fn an_envoy_filter_of_the_namespace_that_comes_first() {
    let mut objects = vec![first("earlier", "payments", 0)];
    objects.extend(istio_objects("sidecar"));
    objects.push(first("later", "payments", 0));
    let chains = Scenario::with(objects).generate().entrances("payments");
    has(&chains, "later");
    expect(&chains, &[]);
}

/// Which the priority is for.
#[test]
fn without_its_priority_a_later_one_would_stand_before_breakglass() {
    let mut objects = istio_objects("sidecar");
    let index = super::envoy_filter(&objects);
    objects[index] = changed(objects[index].clone(), "/spec/priority", json!(0));
    objects.push(first("later", "payments", 0));
    let chains = Scenario::with(objects).generate().entrances("payments");
    let behind = super::not_first(&chains, super::FILTER);
    assert!(!behind.is_empty());
    let later = Place::Behind(vec!["later".to_owned()]);
    assert!(behind.values().all(|place| *place == later), "{behind:?}");
}

/// Which the documents say: who may write EnvoyFilters there can go before breakglass, by a higher
/// priority, or later by the same one.
#[test]
fn one_of_a_higher_priority_stands_before_breakglass() {
    for (namespace, priority) in [("payments", 1001), ("istio-system", 1001), ("payments", 1000)] {
        let chains = beside(vec![first("higher", namespace, priority)]);
        let behind = super::not_first(&chains, super::FILTER);
        let higher = Place::Behind(vec!["higher".to_owned()]);
        assert!(!behind.is_empty());
        assert!(behind.values().all(|place| *place == higher), "{namespace}: {behind:?}");
    }
}

#[test]
fn a_wasm_plugin_of_the_first_phase() {
    let chains = beside(plugin());
    has(&chains, "extensions.istio.io/trafficextension/payments.other~istio-translated-wasmplugin");
    expect(&chains, &[]);
}

#[test]
fn request_authentication_and_policies() {
    let chains = beside(request_authentication("payments", ("app", "payments")));
    has(&chains, "envoy.filters.http.jwt_authn");
    expect(&chains, &[]);
}

#[test]
fn custom_authorization() {
    let chains = beside(file("ext-authz.yaml"));
    has(&chains, "envoy.filters.http.ext_authz");
    expect(&chains, &[]);
}

#[test]
fn all_of_them() {
    let mut others = file("ext-authz.yaml");
    others.extend(plugin());
    others.extend(request_authentication("payments", ("app", "payments")));
    others.push(first("later", "payments", 0));
    others.push(first("root", "istio-system", 0));
    let chains = beside(others);
    for filter in ["envoy.filters.http.ext_authz", "envoy.filters.http.jwt_authn", "later", "root"]
    {
        has(&chains, filter);
    }
    expect(&chains, &[]);
}

/// Where an object without an EnvoyFilter puts the filter.
fn alternative(mut objects: Vec<Value>) -> Vec<super::Chain> {
    for object in &mut objects {
        object["metadata"]["namespace"] = json!("payments");
    }
    objects.extend(file("ext-authz.yaml"));
    objects.extend(request_authentication("payments", ("app", "payments")));
    Scenario::with(objects).generate().entrances("payments")
}

/// Before Istio's own authentication and authorization, and after CUSTOM authorization, in every chain.
fn stands_behind_custom_authorization(chains: &[super::Chain], filter: &str) {
    for chain in chains.iter().filter(|chain| chain.manager.is_some()) {
        let Place::Behind(before) = chain.place(filter) else {
            panic!("{}: {:?}", chain.name, chain.http_filters())
        };
        assert!(before.iter().any(|name| name == "envoy.filters.http.ext_authz"), "{before:?}");
        assert!(!before.iter().any(|name| name == "envoy.filters.http.jwt_authn"), "{before:?}");
    }
}

#[test]
fn a_traffic_extension_stands_behind_custom_authorization() {
    let chains = alternative(istio_objects("alternatives"));
    let filter = "extensions.istio.io/trafficextension/payments.breakglass";
    stands_behind_custom_authorization(&chains, filter);
}

#[test]
fn a_wasm_plugin_stands_behind_custom_authorization() {
    let objects = [file("alternatives/wasmplugin.yaml"), file("alternatives/approvals.yaml")];
    let chains = alternative(objects.concat());
    let filter =
        "extensions.istio.io/trafficextension/payments.breakglass~istio-translated-wasmplugin";
    stands_behind_custom_authorization(&chains, filter);
}
