//! `envoy/istio/` does what it says: the objects of both overlays, applied to what istiod configures,
//! make a real Envoy that lets the story happen. The approval service sits in the mesh too, behind a
//! sidecar that speaks nothing but mutual TLS.

use std::net::SocketAddr;
use std::sync::LazyLock;

use breakglass_tests::artefacts;
use breakglass_tests::certificates::Authority;
use breakglass_tests::client::{Request, get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::istio::{Workload, apply, authenticate_requests, cluster, filter, socket};
use breakglass_tests::keys::Key;
use breakglass_tests::manifests::{kustomization, objects};
use breakglass_tests::policy::{APPROVER, AUDIENCE, ISSUER, SUBJECT};
use breakglass_tests::record::Audit;
use breakglass_tests::service::Service;
use breakglass_tests::tokens::Mint;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

pub(crate) const SIDECAR: Workload =
    Workload { namespace: "payments", label: ("app", "payments"), context: "SIDECAR_INBOUND" };

pub(crate) const GATEWAY: Workload =
    Workload { namespace: "istio-ingress", label: ("istio", "ingressgateway"), context: "GATEWAY" };

/// Who the approval service is in the mesh.
pub(crate) const APPROVALS: &str = "spiffe://cluster.local/ns/breakglass/sa/approvals";

/// Who says which roles somebody has, outside of breakglass.
const IDENTITY_PROVIDER: &str = "https://identity.internal";
static IDENTITY_PROVIDER_KEY: LazyLock<Key> = LazyLock::new(|| Key::es256("identity"));

/// The request of somebody who has the role, by the identity provider's token.
pub(crate) fn with_role(request: Request, roles: impl Into<Value>) -> Request {
    let token = Mint::new(&IDENTITY_PROVIDER_KEY).header("typ", "JWT");
    let token = token.claim("iss", IDENTITY_PROVIDER).claim("roles", roles).sign();
    request.header("authorization", format!("Bearer {token}"))
}

/// A RequestAuthentication for those tokens.
pub(crate) fn authenticated(configuration: &mut Value) {
    let keys = json!({"keys": [IDENTITY_PROVIDER_KEY.jwk()]});
    authenticate_requests(configuration, IDENTITY_PROVIDER, &keys);
}

fn envoy_filter(objects: &[Value]) -> Value {
    objects.iter().find(|object| object["kind"] == "EnvoyFilter").unwrap().clone()
}

/// Replaces what must be there.
pub(crate) fn set(value: &mut Value, pointer: &str, to: Value) {
    *value.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = to;
}

/// The EnvoyFilter as it works in a cluster: with the issuer of the tests, the module where it is,
/// the service's name resolved, and secrets from the bootstrap in place of istio-agent's.
fn in_the_mesh(mut object: Value) -> Value {
    let patch = |index: usize| format!("/spec/configPatches/{index}/patch/value");
    let (approvals, breakglass, log) = (patch(0), patch(1), patch(5));
    let tls = format!("{approvals}/transport_socket/typed_config/common_tls_context");
    for (secret, name) in [
        ("tls_certificate_sds_secret_configs/0", "default"),
        ("combined_validation_context/validation_context_sds_secret_config", "ROOTCA"),
    ] {
        let secret = format!("{tls}/{secret}");
        assert_eq!(
            object
                .pointer(&format!(
                    "{secret}/sds_config/api_config_source/grpc_services/0/envoy_grpc/cluster_name"
                ))
                .unwrap(),
            "sds-grpc",
        );
        set(&mut object, &secret, json!({"name": name}));
    }
    set(&mut object, &format!("{approvals}/type"), json!("STATIC"));
    let address = "load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
    set(
        &mut object,
        &format!("{approvals}/{address}"),
        json!({"pipe": {"path": "approvals.sock"}}),
    );
    let config = format!("{breakglass}/typed_config/config");
    let module = artefacts::filter();
    set(&mut object, &format!("{config}/vm_config/code/local/filename"), json!(module));
    let issuer = format!("{config}/configuration/value/issuers/0");
    set(&mut object, &format!("{issuer}/issuer"), json!(ISSUER));
    set(&mut object, &format!("{issuer}/audiences"), json!([AUDIENCE]));
    // A scope that says more than the DENY of the policies lets happen.
    let methods = format!("{config}/configuration/value/scopes/0/methods");
    set(&mut object, &methods, json!(["GET", "HEAD", "PUT"]));
    set(
        &mut object,
        &format!("{log}/typed_config/access_log/0/typed_config/path"),
        json!("audit.log"),
    );
    object
}

/// The approval service's sidecar, and what istio-agent would give the other one: certificates of
/// the mesh.
fn mesh(configuration: &mut Value, identity: &str, service: SocketAddr) {
    let authority = Authority::new();
    let inline = |text: String| json!({"inline_string": text});
    let certificate = |id: &str| {
        let (certificate, key) = authority.workload(id).pem();
        json!({"certificate_chain": inline(certificate), "private_key": inline(key)})
    };
    let roots = json!({"trusted_ca": inline(authority.pem())});
    let resources = &mut configuration["static_resources"];
    resources["secrets"] = json!([
        {"name": "default",
         "tls_certificate": certificate("spiffe://cluster.local/ns/payments/sa/payments")},
        {"name": "ROOTCA", "validation_context": roots},
    ]);
    let tls = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    let context = json!({"tls_certificates": [certificate(identity)], "validation_context": roots});
    let context = json!({"require_client_certificate": true, "common_tls_context": context});
    let proxy = json!({"stat_prefix": "approvals", "cluster": "approvals-application"});
    let proxy = filter("tcp", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", proxy);
    resources["listeners"].as_array_mut().unwrap().push(json!({
        "name": "approvals-sidecar",
        "address": {"pipe": {"path": "approvals.sock"}},
        "filter_chains": [{"filters": [proxy], "transport_socket": filter("tls", tls, context)}],
    }));
    let application = cluster("approvals-application", socket(service));
    resources["clusters"].as_array_mut().unwrap().push(application);
}

/// A proxy of the overlay's workload, with the service under an identity in the mesh.
pub(crate) fn proxy_with(
    service: &Service,
    objects: &[Value],
    workload: &Workload,
    identity: &str,
) -> Gate {
    proxy_to(None, service, objects, workload, identity)
}

/// The same, in front of another upstream than the harness's.
pub(crate) fn proxy_to(
    upstream: Option<SocketAddr>,
    service: &Service,
    objects: &[Value],
    workload: &Workload,
    identity: &str,
) -> Gate {
    Plan::asking(service).start_with(|settings| {
        let upstream = upstream.unwrap_or(settings.upstream);
        let mut configuration = workload.configuration(upstream, objects);
        authenticated(&mut configuration);
        mesh(&mut configuration, identity, settings.approvals);
        // The provider of CUSTOM authorization is down.
        let provider = cluster("ext-authz", json!({"pipe": {"path": "nobody.sock"}}));
        configuration["static_resources"]["clusters"].as_array_mut().unwrap().push(provider);
        let patched = in_the_mesh(envoy_filter(objects));
        apply(&mut configuration, workload, &patched).unwrap();
        configuration.to_string()
    })
}

pub(crate) fn overlay_objects(overlay: &str) -> Vec<Value> {
    kustomization(format!("envoy/istio/{overlay}"))
}

fn proxy(service: &Service, overlay: &str, workload: &Workload) -> Gate {
    proxy_with(service, &overlay_objects(overlay), workload, APPROVALS)
}

/// Istio's authorization refuses the request, and breakglass had nothing to say about it.
fn closed(gate: &Gate, request: &Request) {
    assert_eq!(gate.send(request).status, 403, "{request:?}");
    let record = gate.envoy.record(&request.id);
    assert!(record.details().starts_with("rbac_access_denied_matched_policy["), "{record:?}");
    assert!(record.audit().is_none(), "{record:?}");
    assert!(gate.upstream.saw(&request.id).is_none());
}

fn story(overlay: &str, workload: &Workload) {
    let service = Service::start();
    let gate = proxy(&service, overlay, workload);
    let order = || get("/v1/orders/17");

    // Without a token Istio's authorization decides, as it did before.
    let orders = || get("/v1/orders");
    closed(&gate, &order());
    closed(&gate, &orders());
    gate.passes(&with_role(orders(), "orders-admin"));
    gate.passes(&with_role(orders(), json!(["reader", "orders-admin"])));
    closed(&gate, &with_role(orders(), "reader"));
    // A path below is not open to the role, nor is a header of the client's a role.
    closed(&gate, &with_role(order(), "orders-admin"));
    closed(&gate, &orders().header("x-role", "orders-admin"));
    gate.passes(&get("/health"));

    // Neither does the role open what an independent DENY forbids, nor a spelling of it.
    for (method, path) in
        [("DELETE", "/v1/ledger/2026"), ("POST", "/v1%2fledger"), ("POST", "/V1/orders")]
    {
        let refused = with_role(request(method, path), "orders-admin");
        assert_eq!(gate.send(&refused).status, 403, "{refused:?}");
        let details = gate.envoy.record(&refused.id).details().to_owned();
        assert!(details.contains("policy[never]"), "{details}");
    }
    gate.passes(&with_role(request("POST", "/v1/orders"), "orders-admin"));

    // Nothing that a client sends opens it.
    closed(&gate, &order().header("x-breakglass-grant", "grant_forged"));
    closed(&gate, &order().header("x_breakglass_grant", "grant_forged"));
    closed(&gate, &order().header("x-breakglass-decision", "allow"));
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    assert_eq!(gate.send(&get("/x/../admin/users")).status, 401);

    // Approved, the same request is allowed.
    let (grant, token) = service.grant(&["orders:read", "ledger:all"], "10m");
    let allowed = gate.allows(&order().token(&token));
    assert_eq!(allowed.seen.header("x-breakglass-grant"), Some(&*grant));
    assert_eq!(allowed.seen.header("x-breakglass-token"), None);
    assert_eq!(allowed.audit.text_of("subject"), Some(SUBJECT));
    gate.refuses(&request("POST", "/v1/orders").token(&token), 403, "out_of_scope");
    gate.refuses(&request("DELETE", "/v1/ledger/2026").token(&token), 403, "ceiling");

    // What an independent DENY forbids stays forbidden under the permit.
    let denied = request("PUT", "/v1/orders/17").token(&token);
    assert_eq!(gate.send(&denied).status, 403);
    let record = gate.envoy.record(&denied.id);
    let name = workload.namespace;
    let details = format!("rbac_access_denied_matched_policy[ns[{name}]-policy[never]-rule[0]]");
    assert_eq!(record.details(), details);
    let audit = record.audit().unwrap();
    assert_eq!((audit.text_of("decision"), audit.of("status")), (Some("allow"), &json!(403)));

    // Revoked, it is as closed as before.
    let revoked = service.run(APPROVER, &["revoke", &grant, "--reason", "orders flow again"]);
    assert_eq!(revoked.done(), "revoked");
    until("the revocation", || (gate.send(&order().token(&token)).status == 401).then_some(()));
    gate.refuses(&order().token(&token), 401, "revoked");
    closed(&gate, &order());
    gate.has_its_first_vms();
    audited(&gate);
}

/// The log that the EnvoyFilter adds has what has a record, and nothing else.
fn audited(gate: &Gate) {
    let with_record: Vec<String> = gate
        .envoy
        .records()
        .iter()
        .filter_map(|record| record.audit().map(|audit: &Audit| audit.text.clone()))
        .collect();
    let logged = until("the audit log", || {
        let logged: Vec<String> = gate
            .envoy
            .log_file("audit.log")
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|line| line["breakglass"].as_str().unwrap().to_owned())
            .collect();
        (logged.len() >= with_record.len()).then_some(logged)
    });
    assert_eq!(logged, with_record);
}

#[test]
fn the_story_in_a_sidecar() {
    story("sidecar", &SIDECAR);
}

#[test]
fn the_story_in_a_gateway() {
    story("gateway", &GATEWAY);
}

#[test]
fn whoever_else_the_mesh_certifies_is_not_the_approval_service() {
    let service = Service::start();
    let other = "spiffe://cluster.local/ns/payments/sa/payments";
    let gate = proxy_with(&service, &overlay_objects("sidecar"), &SIDECAR, other);
    let (_, token) = service.grant(&["orders:read"], "10m");
    gate.refuses(&get("/v1/orders/17").token(token), 503, "keys_unavailable");
}

#[test]
fn a_permit_does_not_need_the_provider_of_custom_authorization() {
    let service = Service::start();
    let objects = [overlay_objects("sidecar"), objects("envoy/istio/ext-authz.yaml")].concat();
    let gate = proxy_with(&service, &objects, &SIDECAR, APPROVALS);
    let denied = get("/v1/orders/17");
    assert_eq!(gate.send(&denied).status, 403);
    assert_eq!(gate.envoy.record(&denied.id).details(), "ext_authz_error");
    let (_, token) = service.grant(&["orders:read"], "10m");
    gate.allows(&get("/v1/orders/17").token(token));
}

#[test]
fn a_patch_that_finds_nothing_to_change_fails() {
    let objects = overlay_objects("sidecar");
    let upstream = "127.0.0.1:1".parse().unwrap();
    let applied = |change: &dyn Fn(&mut Value)| {
        let mut object = envoy_filter(&objects);
        change(&mut object);
        apply(&mut SIDECAR.configuration(upstream, &objects), &SIDECAR, &object)
    };
    assert_eq!(applied(&|_| ()), Ok(()));
    let manager = "/match/listener/filterChain/filter/name";
    for (pointer, value, complaint) in [
        ("0/match/context", "GATEWAY", "patch 0: it is for GATEWAY"),
        ("0/patch/value/name", "inbound|8080||", "patch 0: there is a cluster"),
        (&format!("1{manager}"), "envoy.filters.network.tcp_proxy", "patch 1: there is no filter"),
        (
            "2/match/listener/filterChain/filter/subFilter/name",
            "envoy.filters.http.wasm",
            "patch 2: there is no HTTP filter",
        ),
        ("5/patch/value/typed_config/@type", "type.googleapis.com/x.Y", "patch 5: \"type"),
    ] {
        let pointer = format!("/spec/configPatches/{pointer}");
        let error = applied(&|object| set(object, &pointer, json!(value))).unwrap_err();
        assert!(error.starts_with(complaint), "{error}");
    }
    let label = "/spec/workloadSelector/labels/app";
    let error = applied(&|object| set(object, label, json!("orders"))).unwrap_err();
    assert!(error.starts_with("the EnvoyFilter is not for"), "{error}");
}
