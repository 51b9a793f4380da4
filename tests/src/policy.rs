//! The configuration that most tests start from, and the names in it.
//!
//! There is one scope for each guard that a test wants to see fail alone.

use serde_json::{Value, json};

use crate::keys::{Key, jwks};

/// The issuer.
pub const ISSUER: &str = "https://approvals.test";
/// The environment that the gate stands for.
pub const AUDIENCE: &str = "payments-test";
/// The type of a token.
pub const TYPE: &str = breakglass_types::names::TOKEN_TYPE;
/// Who holds the grants.
pub const SUBJECT: &str = "alice@example.com";
/// Who approved them.
pub const APPROVER: &str = "bob@example.com";
/// Why.
pub const JUSTIFICATION: &str = "orders are stuck";
/// Which incident.
pub const INCIDENT: &str = "INC-42";
/// The filter's own credential at the approval service.
pub const PROXY_TOKEN: &str = "proxy-secret-7c1e";

/// The configuration: one issuer with these keys inline, every decision asked of the service.
#[must_use]
pub fn standard(keys: &[&Key]) -> Value {
    json!({
        "issuers": [{
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "algorithms": ["ES256"],
            "typ": [TYPE],
            "max_lifetime": "1h",
            "jwks": {"inline": jwks(keys)},
        }],
        "protected": [{"paths": ["/admin/**"]}],
        "ceiling": [{"methods": ["DELETE"], "paths": ["/v1/ledger/**"]}],
        "scopes": [
            {"name": "orders:read", "methods": ["GET", "HEAD"],
             "paths": ["/v1/orders", "/v1/orders/{id}", "/v1/orders/{id}/items/**"],
             "upgrades": ["websocket"]},
            {"name": "orders:write", "methods": ["POST"], "paths": ["/v1/orders"]},
            {"name": "ledger:all", "methods": ["GET", "DELETE"], "paths": ["/v1/ledger/**"]},
            {"name": "admin:read", "methods": ["GET"], "paths": ["/admin/**"]},
            {"name": "guarded:read", "methods": ["GET"], "paths": ["/guarded/**"]},
            {"name": "grpc:call", "methods": ["POST"], "paths": ["/test.Orders/{method}"]},
            {"name": "host:exact", "hosts": ["billing.internal"], "methods": ["GET"],
             "paths": ["/v1/invoices"]},
            {"name": "host:suffix", "hosts": ["*.eu.internal"], "methods": ["GET"],
             "paths": ["/v1/invoices"]},
            {"name": "route:orders", "routes": ["orders"], "methods": ["GET"],
             "paths": ["/v1/**"]},
            {"name": "needs:role", "methods": ["GET"], "paths": ["/needs/role"],
             "require": {"roles": ["oncall", "sre"]}},
            {"name": "needs:amr", "methods": ["GET"], "paths": ["/needs/amr"],
             "require": {"amr": ["mfa", "hwk"]}},
            {"name": "needs:acr", "methods": ["GET"], "paths": ["/needs/acr"],
             "require": {"acr": ["aal2", "aal3"]}},
            {"name": "needs:fresh", "methods": ["GET"], "paths": ["/needs/fresh"],
             "require": {"max_auth_age": "15m"}},
            {"name": "needs:source", "methods": ["GET"], "paths": ["/needs/source"],
             "require": {"source_cidrs": ["10.0.0.0/8", "2001:db8::/32"]}},
            {"name": "needs:short", "methods": ["GET"], "paths": ["/needs/short"],
             "require": {"max_lifetime": "5m"}},
            {"name": "needs:certificate", "methods": ["GET"], "paths": ["/needs/certificate"],
             "require": {"sender_constrained": true}},
        ],
        "revocation": {
            "introspection": introspection(),
            "credential": {"env": "BREAKGLASS_PROXY_TOKEN"},
            "max_staleness": "10s",
            "on_unavailable": "deny",
        },
    })
}

/// Where the filter asks whether a token is still good.
#[must_use]
pub fn introspection() -> Value {
    json!({"cluster": "approvals", "authority": "approvals.internal",
        "path": crate::approvals::INTROSPECTION, "timeout": "500ms", "cache": "5s"})
}

/// Where the filter fetches keys.
#[must_use]
pub fn remote_keys() -> Value {
    json!({"cluster": "approvals", "authority": "approvals.internal",
        "path": crate::approvals::KEYS, "refresh": "300s"})
}
