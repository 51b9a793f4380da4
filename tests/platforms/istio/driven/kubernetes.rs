//! What Kubernetes says of the pods: its objects, which do not change.

use breakglass_tests::manifests::kustomization;
use serde_json::{Value, json};

use super::identity::{APPROVALS, GATEWAY, GRPC, HTTP, Identity, OTHER_GATEWAY, PAYMENTS, TCP};

/// Ports of the workload: the name, the number, and Kubernetes' `appProtocol`.
const PORTS: [(&str, u16, Option<&str>); 3] =
    [("http", HTTP, None), ("grpc", GRPC, Some("grpc")), ("tcp-raw", TCP, None)];

/// What Kubernetes says of the pods.
pub(crate) fn cluster() -> Vec<Value> {
    let port = |(name, number, protocol): &(&str, u16, Option<&str>)| {
        let mut port = json!({"name": name, "port": number, "targetPort": number});
        if let Some(protocol) = protocol {
            port["appProtocol"] = json!(protocol);
        }
        port
    };
    let ports: Vec<Value> = PORTS.iter().map(port).collect();
    let mut cluster = served(&PAYMENTS, service(&PAYMENTS, "payments", &ports));
    let shipped = kustomization("envoy/kubernetes-mesh");
    let mut approvals = shipped.into_iter().find(|object| object["kind"] == "Service").unwrap();
    assert_eq!(approvals["metadata"]["namespace"], APPROVALS.namespace);
    approvals["spec"]["clusterIP"] = json!(cluster_ip(&APPROVALS));
    // The names of the container's ports, which the endpoints below give numbers: the service's own.
    for port in approvals["spec"]["ports"].as_array_mut().unwrap() {
        port["targetPort"] = port["port"].clone();
    }
    cluster.extend(served(&APPROVALS, approvals));
    for gateway in [&GATEWAY, &OTHER_GATEWAY] {
        let ports = [json!({"name": "http2", "port": 80, "targetPort": 80})];
        cluster.extend(served(gateway, service(gateway, "gateway", &ports)));
    }
    cluster
}

pub(crate) fn cluster_ip(identity: &Identity) -> String {
    let [_, _, third, fourth] = identity.ip.octets();
    format!("10.96.{third}.{fourth}")
}

pub(crate) fn service(identity: &Identity, name: &str, ports: &[Value]) -> Value {
    let (label, value) = identity.labels.first().unwrap();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": identity.namespace},
        "spec": {"clusterIP": cluster_ip(identity), "selector": {*label: value}, "ports": ports},
    })
}

/// A Service with its pod and its endpoints.
pub(crate) fn served(identity: &Identity, service: Value) -> Vec<Value> {
    let (name, ip) = (&service["metadata"]["name"], identity.ip.to_string());
    let endpoint =
        |port: &Value| json!({"name": port["name"], "port": port["targetPort"], "protocol": "TCP"});
    let ports: Vec<Value> =
        service["spec"]["ports"].as_array().unwrap().iter().map(endpoint).collect();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": ports,
        "metadata": {"name": format!("{}-1", name.as_str().unwrap()), "namespace": identity.namespace,
            "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [{"addresses": [ip], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "name": identity.name, "namespace": identity.namespace}}],
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": identity.name, "namespace": identity.namespace, "labels": identity.labels()},
        "spec": {"serviceAccountName": identity.account, "containers": [{"name": "app", "image": "app"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}]},
    });
    vec![service, pod, slice]
}
