//! A waypoint of the ambient mesh: what a ztunnel sends it, an HTTP/2 CONNECT over mutual TLS (HBONE), and what it
//! makes of the requests inside.
//!
//! Stood in for: ztunnel, by an Envoy that tunnels; and two filters that only Istio's Envoy has, and which have no
//! part in any decision, are taken out by an EnvoyFilter of the test's.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use breakglass_tests::artefacts::envoy;
use breakglass_tests::client::{get, request};
use breakglass_tests::istio::{filter, socket};
use breakglass_tests::upstream::Upstream;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use super::asked::Entrance;
use super::identity::{HTTP, Identity, PAYMENTS};
use super::kubectl::kustomize;
use super::kubernetes::{cluster, cluster_ip, served, service};
use super::mesh::Mesh;
use super::namespaces::inside;
use super::pod::{Kind, Pod};
use super::story::{CUT, audited, envoy_filter, independent_deny, under_a_permit, with};

/// The waypoint, whose name is that of its Gateway.
const WAYPOINT: Identity = Identity {
    name: "waypoint-1",
    namespace: "payments",
    account: "waypoint",
    ip: Ipv4Addr::new(10, 1, 2, 1),
    labels: &[
        ("gateway.networking.k8s.io/gateway-name", "waypoint"),
        ("gateway.istio.io/managed", "istio.io-mesh-controller"),
    ],
};

/// Where HBONE comes in.
const HBONE: u16 = 15008;

/// The cluster with the waypoint, which the workload's service says that it wants.
fn ambient() -> Vec<Value> {
    let mut ambient = cluster();
    let payments = ambient
        .iter_mut()
        .find(|object| object["kind"] == "Service" && object["metadata"]["name"] == "payments");
    payments.unwrap()["metadata"]["labels"] = json!({"istio.io/use-waypoint": "waypoint"});
    // What speaks neither mutual TLS nor HBONE itself: the waypoint reaches it in the clear.
    for object in &mut ambient {
        if object["kind"] == "Pod" && object["metadata"]["name"] == PAYMENTS.name {
            object["metadata"]["labels"] = json!({"app": "payments"});
        }
    }
    let ports =
        [json!({"name": "mesh", "port": HBONE, "targetPort": HBONE, "appProtocol": "hbone"})];
    let mut waypoint = service(&WAYPOINT, "waypoint", &ports);
    waypoint["metadata"]["labels"] = WAYPOINT.labels();
    ambient.extend(served(&WAYPOINT, waypoint));
    ambient.push(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": "istio-waypoint"},
        "spec": {"controllerName": "istio.io/mesh-controller"},
    }));
    ambient.push(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "waypoint", "namespace": WAYPOINT.namespace},
        "spec": {"gatewayClassName": "istio-waypoint",
            "listeners": [{"name": "mesh", "port": HBONE, "protocol": "HBONE"}]},
        "status": {"addresses": [{"type": "Hostname", "value": "waypoint.payments.svc.cluster.local"}]},
    }));
    ambient
}

/// Takes out what only Istio's own Envoy has: two filters for metrics, a listener for other networks; and has the tunnel's
/// filter keep what it reads of the tunnel in strings of Envoy's own kind.
fn for_a_plain_waypoint() -> Value {
    let manager = |name: &str| {
        json!({"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": {
            "name": "envoy.filters.network.http_connection_manager", "subFilter": {"name": name}}}}})
    };
    let remove = |name: &str| json!({"applyTo": "HTTP_FILTER", "match": manager(name), "patch": {"operation": "REMOVE"}});
    let state = |key: &str, factory: &str, value: &str| {
        json!({"object_key": key, "factory_key": factory, "shared_with_upstream": "ONCE",
            "format_string": {"text_format_source": {"inline_string": value}}})
    };
    let (local, remote) = (
        "envoy.filters.listener.original_dst.local_ip",
        "envoy.filters.listener.original_dst.remote_ip",
    );
    let authority = filter(
        "connect_authority",
        "envoy.extensions.filters.http.set_filter_state.v3.Config",
        json!({"on_request_headers": [
            state(local, local, "%REQ(:AUTHORITY)%"),
            state(remote, remote, "%DOWNSTREAM_REMOTE_ADDRESS%"),
            state("io.istio.connect_authority", "envoy.string", "%REQ(:AUTHORITY)%"),
            state("io.istio.peer_principal", "envoy.string", "%DOWNSTREAM_PEER_URI_SAN%"),
        ]}),
    );
    json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": "a-plain-envoy", "namespace": WAYPOINT.namespace},
        "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint"}],
            "configPatches": [
                remove("waypoint_downstream_peer_metadata"),
                remove("waypoint_upstream_peer_metadata"),
                {"applyTo": "HTTP_FILTER", "match": manager("connect_authority"),
                    "patch": {"operation": "REPLACE", "value": authority}},
                {"applyTo": "LISTENER", "match": {"listener": {"name": "inner_connect_originate"}},
                    "patch": {"operation": "REMOVE"}},
            ],
        },
    })
}

/// An Envoy that stands in for the ztunnel of a client's node.
struct Tunnel {
    child: Child,
    to: SocketAddr,
}

impl Tunnel {
    fn start(mesh: &Mesh, folder: &Path) -> Tunnel {
        let (certificate, key) =
            mesh.authority.workload("spiffe://cluster.local/ns/team-a/sa/client").pem();
        let inline = |text: String| json!({"inline_string": text});
        let tls = filter(
            "tls",
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            json!({"common_tls_context": {
                "alpn_protocols": ["h2"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                "tls_certificates": [{"certificate_chain": inline(certificate), "private_key": inline(key)}],
                "validation_context": {"trusted_ca": inline(mesh.authority.pem())},
            }}),
        );
        let to = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let proxy = filter(
            "tcp",
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            json!({"stat_prefix": "tunnel", "cluster": "waypoint",
                "tunneling_config": {"hostname": format!("{}:{HTTP}", cluster_ip(&PAYMENTS))}}),
        );
        let mut waypoint =
            breakglass_tests::istio::cluster("waypoint", socket((WAYPOINT.ip, HBONE).into()));
        waypoint["transport_socket"] = tls;
        let http = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        waypoint["typed_extension_protocol_options"] = json!({http: {
            "@type": format!("type.googleapis.com/{http}"), "explicit_http_config": {"http2_protocol_options": {}}}});
        let configuration = json!({"static_resources": {
            "listeners": [{"name": "tunnel", "address": socket(to), "filter_chains": [{"filters": [proxy]}]}],
            "clusters": [waypoint],
        }});
        let log = File::create(folder.join("log")).unwrap();
        let mut command = Command::new(envoy());
        command.args(["--disable-hot-restart", "--concurrency", "1", "--config-yaml"]);
        command.arg(configuration.to_string()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        until("the tunnel", || std::net::TcpStream::connect(to).ok());
        Tunnel { child, to }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_guarded_waypoint() {
    inside("driven::waypoint::a_guarded_waypoint", || {
        let mut mesh = Mesh::start_in(ambient(), vec![for_a_plain_waypoint()], true, None);
        // The application alone: no proxy of its own.
        let application = Pod::new(PAYMENTS, Kind::Router, &[]);
        let listener = application.within(|| TcpListener::bind(("0.0.0.0", HTTP)).unwrap());
        let upstream = Upstream::on(listener);
        let mut waypoint = Pod::new(WAYPOINT, Kind::Waypoint, super::mesh::NAMES);
        waypoint.start_proxy(&mesh.authority, &mesh.extras());
        waypoint.until_ready();
        let tunnel = Tunnel::start(&mesh, &mesh.scratch("tunnel"));
        let entrance = Entrance { to: tunnel.to, behind: &upstream, closes: CUT };

        // Without the objects everything goes through.
        entrance.ask(&get("/admin/users")).passed();
        entrance.ask(&get("/v1/orders/17")).passed();

        let objects = kustomize("envoy/istio/waypoint");
        let mut deny = independent_deny(WAYPOINT.namespace, &json!({}));
        deny["spec"].as_object_mut().unwrap().remove("selector");
        deny["spec"]["targetRefs"] = json!([
            {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint"}]);
        mesh.control_plane.apply(&[Mesh::of_istio(&objects), vec![deny]].concat());
        waypoint.until("the filter", |pod| {
            let chains = pod.chains();
            let mut inner = chains.iter().filter(|(name, _)| name == "main_internal").peekable();
            inner.peek().is_some() && inner.all(|(_, filters)| filters[0] == "breakglass")
        });
        // The tunnel itself is nobody's request.
        let chains = waypoint.chains();
        let outer = chains.iter().find(|(name, _)| name == "connect_terminate").unwrap();
        assert!(!outer.1.contains(&"breakglass".to_owned()), "{outer:?}");
        entrance.settles("/v1/orders/17", 403);
        entrance.ask(&get("/health")).passed();
        entrance.ask(&get("/v1/orders/17")).closed();
        entrance.ask(&get("/v1/orders/17").header("x-breakglass-grant", "grant_forged")).closed();
        entrance.ask(&get("/admin/users")).refused(401, "token_missing");
        entrance.ask(&request("DELETE", "/v1/ledger/2026")).closed();
        under_a_permit(&mesh, entrance);
        audited(&mesh, &waypoint);

        // Whoever refuses what has no token refuses no tunnel: that one has none either.
        let (_, token) = mesh.grant(&["orders:read"]);
        mesh.control_plane.apply(&[with(&objects, "unauthenticated", "deny")]);
        entrance.settles("/health", 401);
        entrance.ask(&get("/health")).refused(401, "token_missing");
        entrance.ask(&get("/v1/orders/17").token(&token)).passed();

        mesh.control_plane.delete(&envoy_filter(&objects));
        waypoint.until("a chain without the filter", |pod| {
            pod.chains().iter().all(|(_, filters)| !filters.contains(&"breakglass".to_owned()))
        });
        entrance.settles("/admin/users", 403);
        entrance.ask(&get("/v1/orders/17").header("x-breakglass-grant", "grant_forged")).closed();
        entrance.ask(&get("/health")).passed();
    });
}
