//! The objects of a cluster: those that are shipped, filled in as a reader does, and the reader's own.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use breakglass_tests::artefacts;
use breakglass_tests::manifests::objects;
use breakglass_tests::policy::{AUDIENCE, ISSUER};
use serde_json::{Value, json};

use crate::world::world;

/// An object's kind and name: `HTTPRoute payments/api`.
pub(crate) fn name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}/{}",
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"])
    )
}

/// The namespaces of all objects.
pub(crate) fn namespaces(objects: &[Value]) -> Vec<Value> {
    let names = objects.iter().filter_map(|object| object["metadata"]["namespace"].as_str());
    let names: BTreeSet<&str> = names.chain(["envoy-gateway-system"]).collect();
    let object =
        |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    names.into_iter().map(object).collect()
}

/// A shipped object with what a reader fills in, on this machine.
pub(crate) fn placed(mut object: Value) -> Value {
    match object["kind"].as_str().unwrap() {
        "EnvoyProxy" => {
            let deployment = &object["spec"]["provider"]["kubernetes"]["envoyDeployment"];
            let container = &deployment["container"];
            assert_eq!(container["env"][0]["name"], "BREAKGLASS_PROXY_TOKEN");
            // What `world` puts there.
            let mounted =
                [("breakglass-tls", "/breakglass/tls"), ("breakglass-sds", "/breakglass/sds")];
            for ((name, path), index) in mounted.into_iter().zip(0..) {
                let mount = json!({"name": name, "mountPath": path, "readOnly": true});
                assert_eq!(container["volumeMounts"][index], mount);
                assert_eq!(deployment["pod"]["volumes"][index]["name"], name);
            }
            let version = artefacts::envoy_version();
            object["spec"]["provider"] = json!({"type": "Host", "host": {"envoyVersion": version}});
        }
        "EnvoyExtensionPolicy" => {
            let wasm = &mut object["spec"]["wasm"][0];
            assert_eq!(wasm["code"]["image"]["sha256"], "0".repeat(64));
            wasm["code"]["image"]["sha256"] = json!(world().digest);
            wasm["config"]["issuers"][0]["issuer"] = json!(ISSUER);
            wasm["config"]["issuers"][0]["audiences"] = json!([AUDIENCE]);
        }
        _ => {}
    }
    object
}

/// A shipped file's objects, filled in.
pub(crate) fn shipped(file: &str) -> Vec<Value> {
    objects(format!("envoy/gateway/{file}")).into_iter().map(placed).collect()
}

/// What `kubectl apply --filename envoy/gateway` applies, filled in.
pub(crate) fn all_shipped() -> Vec<Value> {
    ["clienttrafficpolicy.yaml", "envoyextensionpolicy.yaml", "envoyproxy.yaml", "tls.yaml"]
        .iter()
        .flat_map(|file| shipped(file))
        .collect()
}

/// The same, with a Gateway, and a route to this API.
pub(crate) fn all_served(upstream: SocketAddr) -> Vec<Value> {
    let mut objects = all_shipped();
    objects.extend([
        class(),
        gateway(&[("http", 8080)]),
        route("payments", "api", "http"),
        backend("payments", upstream),
    ]);
    objects
}

/// The class of the Gateways here.
pub(crate) fn class() -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": "eg"},
        "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}})
}

/// A reference to a Gateway.
pub(crate) fn to_gateway(name: &str) -> Value {
    json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name})
}

/// A reference to an HTTPRoute.
pub(crate) fn to_route(name: &str) -> Value {
    json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": name})
}

/// The Gateway of the documents, with HTTP listeners: the name and port of each.
pub(crate) fn gateway(listeners: &[(&str, u16)]) -> Value {
    let listener = |(name, port): &(&str, u16)| {
        json!({"name": name, "protocol": "HTTP", "port": port,
            "allowedRoutes": {"namespaces": {"from": "All"}}})
    };
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "payments", "namespace": "payments"},
        "spec": {"gatewayClassName": "eg",
            "infrastructure": {"parametersRef":
                {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "breakglass"}},
            "listeners": listeners.iter().map(listener).collect::<Vec<_>>()}})
}

/// The API, behind any route of a namespace.
pub(crate) fn backend(namespace: &str, upstream: SocketAddr) -> Value {
    object(
        "Backend",
        namespace,
        "upstream",
        json!({"endpoints":
        [{"ip": {"address": upstream.ip().to_string(), "port": upstream.port()}}]}),
    )
}

/// The reference of a route or policy to the API.
pub(crate) fn to_backend() -> Value {
    json!([{"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "upstream"}])
}

/// A route of a listener to the API, for every path.
pub(crate) fn route(namespace: &str, name: &str, listener: &str) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"parentRefs": [{"name": "payments", "namespace": "payments", "sectionName": listener}],
            "rules": [{"name": "all", "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": to_backend()}]}})
}

/// An object of Envoy Gateway's own.
pub(crate) fn object(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": kind,
        "metadata": {"namespace": namespace, "name": name}, "spec": spec})
}

/// A policy for one HTTPRoute.
pub(crate) fn policy(kind: &str, namespace: &str, route: &str, mut spec: Value) -> Value {
    spec["targetRefs"] = json!([to_route(route)]);
    object(kind, namespace, route, spec)
}
