//! What Istio does with the objects that are shipped, as far as they need it: a proxy like those
//! that istiod configures, the patches of an EnvoyFilter, and AuthorizationPolicies as RBAC.
//!
//! The order of the filters and the translation of a policy are those of istiod: `scripts/platforms istio`
//! compares them (`judged/claims.rs`). Filters that only Istio's own Envoy has are stood in for by one that
//! does nothing under their names.

mod authorization;
mod named;
mod patches;

use std::net::SocketAddr;

use serde_json::{Value, json};

pub use named::filter;
pub use patches::apply;

/// The connection manager's name, which patches look for.
const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// A workload whose proxy istiod configures.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Its namespace.
    pub namespace: &'static str,
    /// The label that selects it.
    pub label: (&'static str, &'static str),
    /// What its proxy is, in the words of an EnvoyFilter: `SIDECAR_INBOUND` or `GATEWAY`.
    pub context: &'static str,
}

impl Workload {
    /// Whether an object is for this workload: by its namespace, and by the labels it selects.
    #[must_use]
    pub fn is_selected(&self, object: &Value, labels: &str) -> bool {
        let labels = object.pointer(labels).and_then(Value::as_object).expect("a selector");
        let (name, value) = self.label;
        object["metadata"]["namespace"] == self.namespace
            && labels.iter().all(|(wanted, to_be)| wanted == name && to_be == value)
    }

    /// The configuration that istiod gives its proxy, for an API at `upstream` and these objects,
    /// before any EnvoyFilter.
    #[must_use]
    pub fn configuration(&self, upstream: SocketAddr, objects: &[Value]) -> Value {
        let idle = |name: &str| {
            filter(name, "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig", json!({}))
        };
        let policies: Vec<&Value> = objects
            .iter()
            .filter(|object| object["kind"] == "AuthorizationPolicy")
            .filter(|policy| self.is_selected(policy, "/spec/selector/matchLabels"))
            .collect();
        let mut filters = vec![idle("istio.metadata_exchange")];
        filters.extend(authorization::filters(&policies));
        filters.push(idle("istio.stats"));
        filters.push(filter(
            "envoy.filters.http.router",
            "envoy.extensions.filters.http.router.v3.Router",
            json!({}),
        ));
        let gateway = self.context == "GATEWAY";
        let manager = json!({
            "stat_prefix": if gateway { "outbound_0.0.0.0_8080" } else { "inbound_0.0.0.0_8080" },
            "use_remote_address": gateway,
            // The tests choose the request's id.
            "preserve_external_request_id": true,
            "stream_idle_timeout": "0s",
            "route_config": {"name": "inbound|8080||", "virtual_hosts": [{"name": "inbound|http|8080",
                "domains": ["*"], "routes": [{"name": "default", "match": {"prefix": "/"},
                    "route": {"cluster": "inbound|8080||"}}]}]},
            "access_log": [telemetry()],
            "http_filters": filters,
        });
        let manager = filter(
            MANAGER,
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager,
        );
        json!({
            "node": {"id": format!("{}~10.0.0.1~payments-1", self.context), "cluster": "payments"},
            "admin": {"address": socket("127.0.0.1:0".parse().unwrap())},
            "static_resources": {
                "listeners": [{
                    "name": if gateway { "0.0.0.0_8080" } else { "virtualInbound" },
                    "address": socket("127.0.0.1:0".parse().unwrap()),
                    "filter_chains": [{"filters": [manager]}],
                }],
                "clusters": [cluster("inbound|8080||", socket(upstream))],
                "secrets": [],
            },
        })
    }
}

/// Adds what istiod makes of a RequestAuthentication: the tokens of `issuer` are verified with these
/// keys, and a request without one goes on.
///
/// # Panics
/// When there is no authorization in the proxy, which it comes before.
pub fn authenticate_requests(configuration: &mut Value, issuer: &str, keys: &Value) {
    let verified = json!({"issuer": issuer, "local_jwks": {"inline_string": keys.to_string()},
        "payload_in_metadata": "payload", "forward": true});
    let either = json!([{"provider_name": "origins-0"}, {"allow_missing": {}}]);
    let rule = json!({"match": {"prefix": "/"},
        "requires": {"requires_any": {"requirements": either}}});
    let authentication = filter(
        "envoy.filters.http.jwt_authn",
        "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        json!({"providers": {"origins-0": verified}, "rules": [rule]}),
    );
    let filters =
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
    let filters = configuration.pointer_mut(filters).and_then(Value::as_array_mut);
    let filters = filters.expect("HTTP filters");
    let enforced = filters.iter().position(|one| one.pointer("/typed_config/rules").is_some());
    filters.insert(enforced.expect("authorization"), authentication);
}

/// A cluster of one endpoint.
#[must_use]
pub fn cluster(name: &str, address: Value) -> Value {
    json!({"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment":
        {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}})
}

/// Envoy's form of an address.
#[must_use]
pub fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

/// An access log in the form that [`crate::record`] reads.
#[must_use]
pub fn telemetry() -> Value {
    let format = json!({
        "request_id": "%REQ(X-REQUEST-ID)%",
        "path": "%REQ(:PATH)%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "decision": "%FILTER_STATE(wasm.breakglass_decision:PLAIN)%",
        "breakglass": "%FILTER_STATE(wasm.breakglass:PLAIN)%",
    });
    filter(
        "envoy.access_loggers.file",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        json!({"path": "access.log", "log_format": {"json_format": format}}),
    )
}
