//! The pods of the mesh, and what each of them is in its cluster.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// What a pod is in its cluster.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its namespace.
    pub(crate) namespace: &'static str,
    /// Its service account, which its certificate is for.
    pub(crate) account: &'static str,
    /// Its address.
    pub(crate) ip: Ipv4Addr,
    /// Its labels.
    pub(crate) labels: &'static [(&'static str, &'static str)],
}

/// What makes other proxies speak mutual TLS with a pod: the injector's label.
const MUTUAL: (&str, &str) = ("security.istio.io/tlsMode", "istio");

/// The workload that is guarded.
pub(crate) const PAYMENTS: Identity = Identity {
    name: "payments-1",
    namespace: "payments",
    account: "payments",
    ip: Ipv4Addr::new(10, 1, 0, 10),
    labels: &[("app", "payments"), MUTUAL],
};

/// The approval service.
pub(crate) const APPROVALS: Identity = Identity {
    name: "approvals-1",
    namespace: "breakglass",
    account: "approvals",
    ip: Ipv4Addr::new(10, 1, 0, 11),
    labels: &[("app", "approvals"), MUTUAL],
};

/// The gateway that the objects are for.
pub(crate) const GATEWAY: Identity = Identity {
    name: "gateway-1",
    namespace: "istio-ingress",
    account: "gateway",
    ip: Ipv4Addr::new(10, 1, 1, 1),
    labels: &[("istio", "ingressgateway")],
};

/// Another gateway with the same label, in another namespace.
pub(crate) const OTHER_GATEWAY: Identity = Identity {
    name: "gateway-2",
    namespace: "team-a",
    account: "gateway",
    ip: Ipv4Addr::new(10, 1, 1, 2),
    labels: &[("istio", "ingressgateway")],
};

/// The workload's port for HTTP.
pub(crate) const HTTP: u16 = 8080;
/// .. for gRPC.
pub(crate) const GRPC: u16 = 9090;
/// .. for anything over TCP.
pub(crate) const TCP: u16 = 7000;

impl Identity {
    /// Its SPIFFE id.
    pub(crate) fn spiffe(&self) -> String {
        format!("spiffe://cluster.local/ns/{}/sa/{}", self.namespace, self.account)
    }

    /// Its labels.
    pub(crate) fn labels(&self) -> Value {
        let label = |(name, value): &(&str, &str)| ((*name).to_owned(), json!(value));
        Value::Object(self.labels.iter().map(label).collect())
    }
}
