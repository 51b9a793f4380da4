//! Guarded at the edge: the gateway that the objects name, and another one of the same label, which serves the same
//! hosts and which they do not reach.

use std::net::Ipv4Addr;

use breakglass_tests::client::{get, request};
use serde_json::{Value, json};

use super::asked::Entrance;
use super::identity::{GATEWAY, HTTP, Identity, OTHER_GATEWAY};
use super::kubectl::{kustomize, kustomize_into};
use super::kubernetes::{cluster, served, service};
use super::mesh::{Mesh, ingress};
use super::namespaces::inside;
use super::pod::Pod;
use super::story::{
    CUT, audited, envoy_filter, guarded, independent_deny, under_a_permit, without_a_token,
};

/// The listener of a gateway's port.
const LISTENER: &str = "0.0.0.0_80";

#[test]
fn a_guarded_gateway_and_another_one_of_the_same_label_elsewhere() {
    inside(
        "driven::gateways::a_guarded_gateway_and_another_one_of_the_same_label_elsewhere",
        || {
            let label = json!({"istio": "ingressgateway"});
            let deny = independent_deny(GATEWAY.namespace, &label);
            let mut mesh =
                Mesh::start([ingress(), kustomize("envoy/istio/gateway"), vec![deny]].concat());
            let workload = mesh.workload();
            let (named, other) = (mesh.gateway(GATEWAY), mesh.gateway(OTHER_GATEWAY));
            for pod in [&workload.pod, &named, &other] {
                pod.until_ready();
            }
            assert!(guarded(&named, LISTENER));
            let edge = Entrance { to: named.address(80), behind: &workload.upstream, closes: CUT };
            without_a_token(&mesh, edge);
            under_a_permit(&mesh, edge);
            audited(&mesh, &named);

            // A Gateway's selector crosses namespaces, an EnvoyFilter and a policy do not: it serves all of it.
            let open = Entrance { to: other.address(80), behind: &workload.upstream, closes: CUT };
            assert!(!guarded(&other, LISTENER));
            open.ask(&get("/admin/users")).passed();
            open.ask(&get("/v1/orders/17")).passed();
            open.ask(&request("DELETE", "/v1/ledger/2026")).passed();
            let forged = open
                .ask(&get("/admin/users").header("x-breakglass-grant", "grant_forged"))
                .passed();
            assert_eq!(forged.header("x-breakglass-grant"), Some("grant_forged"));

            // The overlay, in that namespace as well.
            let there = kustomize_into(
                &mesh.scratch("team-a"),
                "envoy/istio/gateway",
                OTHER_GATEWAY.namespace,
            );
            let deny = independent_deny(OTHER_GATEWAY.namespace, &label);
            mesh.control_plane.apply(&[there.clone(), vec![deny]].concat());
            other.until("the filter", |pod| guarded(pod, LISTENER));
            open.settles("/v1/orders/17", 403);
            without_a_token(&mesh, open);
            under_a_permit(&mesh, open);

            mesh.control_plane.delete(&envoy_filter(&there));
            other.until("a chain without the filter", |pod| !guarded(pod, LISTENER));
            super::story::without_the_filter(&mesh, open);
        },
    );
}

/// The gateway of `istioctl install`.
const ISTIOCTL: Identity = Identity {
    name: "istioctl-1",
    namespace: "istio-system",
    account: "gateway",
    ip: Ipv4Addr::new(10, 1, 1, 3),
    labels: &[("istio", "ingressgateway")],
};

/// .. of helm's chart.
const HELM: Identity = Identity {
    name: "helm-1",
    namespace: "istio-ingress",
    account: "gateway",
    ip: Ipv4Addr::new(10, 1, 1, 4),
    labels: &[("istio", "ingress")],
};

/// .. that Istio deploys for a Gateway of the Gateway API.
const GATEWAY_API: Identity = Identity {
    name: "api-1",
    namespace: "istio-ingress",
    account: "public-istio",
    ip: Ipv4Addr::new(10, 1, 1, 5),
    labels: &[("gateway.networking.k8s.io/gateway-name", "public")],
};

/// The cluster with these three.
fn with_gateways() -> Vec<Value> {
    let mut gateways = cluster();
    for (identity, name) in [
        (&ISTIOCTL, "istio-ingressgateway"),
        (&HELM, "istio-ingress"),
        (&GATEWAY_API, "public-istio"),
    ] {
        let ports = [json!({"name": "http2", "port": 80, "targetPort": 80})];
        gateways.extend(served(identity, service(identity, name, &ports)));
    }
    gateways.push(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": "istio"}, "spec": {"controllerName": "istio.io/gateway-controller"},
    }));
    gateways.push(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "public", "namespace": GATEWAY_API.namespace},
        "spec": {"gatewayClassName": "istio", "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]},
    }));
    gateways.push(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "public", "namespace": "payments"},
        "spec": {"parentRefs": [{"name": "public", "namespace": GATEWAY_API.namespace}],
            "rules": [{"backendRefs": [{"name": "payments", "port": HTTP}]}]},
    }));
    gateways
}

#[test]
fn each_overlay_guards_the_gateway_of_its_installer_and_no_other() {
    inside(
        "driven::gateways::each_overlay_guards_the_gateway_of_its_installer_and_no_other",
        || {
            let mut helms = ingress();
            for object in &mut helms {
                object["metadata"]["name"] = json!("of-helm");
            }
            helms[0]["spec"]["selector"] = json!({"istio": "ingress"});
            helms[1]["spec"]["gateways"] = json!(["of-helm"]);
            let mut mesh =
                Mesh::start_in(with_gateways(), [ingress(), helms].concat(), false, None);
            let workload = mesh.workload();
            let overlays = [
                ("gateway-istioctl", ISTIOCTL),
                ("gateway-helm", HELM),
                ("gateway-api", GATEWAY_API),
            ];
            let pods = overlays.map(|(overlay, identity)| (overlay, mesh.gateway(identity)));
            let second = mesh.gateway(OTHER_GATEWAY);
            pods.iter().for_each(|(_, pod)| pod.until_ready());
            second.until_ready();
            let entrance = |pod: &Pod| Entrance {
                to: pod.address(80),
                behind: &workload.upstream,
                closes: CUT,
            };
            let mut applied = Vec::new();
            for (overlay, pod) in &pods {
                entrance(pod).settles("/admin/users", 200);
                assert!(!guarded(pod, LISTENER), "{overlay} is applied later");
                // Two overlays in one namespace have objects of one name: one after the other.
                let objects = Mesh::of_istio(&kustomize(format!("envoy/istio/{overlay}")));
                mesh.control_plane.delete(&applied);
                mesh.control_plane.apply(&objects);
                applied = objects;
                pod.until("the filter", |pod| guarded(pod, LISTENER));
                entrance(pod).settles("/v1/orders/17", 403);
                entrance(pod).ask(&get("/admin/users")).refused(401, "token_missing");
                entrance(pod).ask(&get("/v1/orders/17")).closed();
                let (_, token) = mesh.grant(&["orders:read"]);
                entrance(pod).ask(&get("/v1/orders/17").token(&token)).passed();
                for (other, pod) in &pods {
                    assert_eq!(
                        guarded(pod, LISTENER),
                        other == overlay,
                        "{other} with the objects of {overlay}"
                    );
                }
                // Objects of the root namespace are for its label in every namespace.
                let everywhere = *overlay == "gateway-istioctl";
                second.until("what is for it", |pod| guarded(pod, LISTENER) == everywhere);
            }
        },
    );
}
