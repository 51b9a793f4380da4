//! What is compared.

use std::net::SocketAddr;
use std::path::Path;

use breakglass_tests::bootstrap::Settings;
use breakglass_tests::client::get;
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::policy::{AUDIENCE, ISSUER, standard};
use breakglass_tests::tokens::Mint;
use serde_json::{Value, json};

use crate::beside;

/// An Envoy with some filters, and the request that it is loaded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variant {
    /// No filter, no access log.
    Plain,
    /// breakglass without rules, and a request without a token.
    Unruled,
    /// breakglass that protects something else, and a request without a token: a plain path, and so on.
    Untouched,
    /// The path of a file with blanks in its name.
    Escaped,
    /// A path with an encoded slash, dot segments and parameters.
    Odd,
    /// A path that takes nearly all the work that there is for one request, and passes.
    Worst,
    /// breakglass with a cached token, and no access log: the record is made, and goes nowhere.
    Unlogged,
    /// breakglass with a cached token, its audit record in the access log.
    Cached,
    /// The same with the digests of both bodies in it.
    Digested,
    /// Envoy's own: `jwt_authn` with its token cache, `rbac` on method, path and scope, and an
    /// access log with the same facts.
    Native,
}

impl Variant {
    pub(crate) const ALL: [Variant; 10] = [
        Variant::Plain,
        Variant::Unruled,
        Variant::Untouched,
        Variant::Escaped,
        Variant::Odd,
        Variant::Worst,
        Variant::Unlogged,
        Variant::Cached,
        Variant::Digested,
        Variant::Native,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Variant::Plain => "no filter",
            Variant::Unruled => "breakglass, no token, no rules",
            Variant::Untouched => "breakglass, no token",
            Variant::Escaped => ".. a file's name with blanks",
            Variant::Odd => ".. an odd path",
            Variant::Worst => ".. the worst path that passes",
            Variant::Unlogged => "breakglass, cached token",
            Variant::Cached => "breakglass, cached token, audited",
            Variant::Digested => ".. with digests of bodies",
            Variant::Native => "jwt_authn + rbac, audited",
        }
    }

    /// The request, as it goes over the wire.
    pub(crate) fn request(self, key: &Key) -> Vec<u8> {
        let request = get(self.path());
        match self {
            Variant::Plain
            | Variant::Unruled
            | Variant::Untouched
            | Variant::Escaped
            | Variant::Odd
            | Variant::Worst => request.bytes(),
            Variant::Unlogged | Variant::Cached | Variant::Digested | Variant::Native => {
                request.token(Mint::new(key).scope("orders:read").issued(0, 3600).sign()).bytes()
            }
        }
    }

    fn path(self) -> &'static str {
        match self {
            Variant::Escaped => "/files/my%20report%20(1).pdf",
            Variant::Odd => "/api/v4/projects/group%2Fproject/x/../files;v=1/README.md",
            Variant::Worst => WORST,
            _ => "/v1/orders/17",
        }
    }

    /// Whether it has this project's filter.
    pub(crate) fn has_filter(self) -> bool {
        !matches!(self, Variant::Plain | Variant::Native)
    }

    /// The Envoy, with the filter that is in this file if it has one.
    pub(crate) fn bootstrap(self, module: &Path, key: &Key, approvals: SocketAddr) -> Value {
        let mut filter = standard(&[key]);
        // One question to the approval service, and then its answer from the cache.
        filter["revocation"]["introspection"]["cache"] = json!("1h");
        if self == Variant::Unruled {
            let fields = filter.as_object_mut().unwrap();
            fields.remove("protected");
            fields.remove("ceiling");
        }
        if self == Variant::Digested {
            filter["scopes"][0]["request_body"] = json!("digest");
            filter["scopes"][0]["response_body"] = json!("digest");
        }
        let settings = Settings::new(Some(filter.to_string()), approvals, approvals);
        let mut bootstrap = settings.bootstrap("/dev".as_ref());
        let manager = bootstrap
            .pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
            .unwrap();
        let wasm = manager["http_filters"][0].clone();
        let router = manager["http_filters"].as_array().unwrap().last().unwrap().clone();
        manager["route_config"]["virtual_hosts"][0]["routes"] = direct_response();
        manager["http_filters"] = match self {
            Variant::Plain => json!([router]),
            Variant::Native => json!([jwt_authn(key), rbac(), router]),
            _ => json!([wasm, router]),
        };
        if self.has_filter() {
            beside::replace(manager, module);
        }
        manager["access_log"] = match self {
            Variant::Plain | Variant::Unlogged => json!([]),
            Variant::Native => access_log(&json!({"json_format": native_record()})),
            _ => audit_log(),
        };
        bootstrap
    }
}

/// Of ten thousand paths of files in projects of GitLab, whose names hold whatever people put there, the one that
/// takes most work: 219 readings (`crates/core/tests/core/readings/ordinary.rs`).
const WORST: &str = "/api/v4/projects/\
    orders%26)2024.c%2B%2B%2Forders%3FFinalorders.tar.gz%2F\
    x%5De%CC%81!%25datax.txt%2Freportna%C3%AFve'%3Breport.json\
    /repository/files/\
    notes%3Fna%C3%AFve%C3%BCber.txt%2Fx%F0%9F%9A%80%E6%9D%B1%E4%BA%AC%5B1%20x.json%2F\
    caf%C3%A9%3F2024%2A%23%25%3AQ3.JPG";

/// How the body of the direct response ends: as no line of the headers does.
pub(crate) const BODY_END: &str = "ok\n";

/// How long it is.
const BODY_BYTES: usize = 1024;

/// Envoy answers by itself, so that no upstream is measured.
pub(crate) fn direct_response() -> Value {
    let body = format!("{BODY_END:x>BODY_BYTES$}");
    json!([{
        "name": "orders", "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": body}},
    }])
}

/// An access log of the audit records.
pub(crate) fn audit_log() -> Value {
    access_log(&json!({"text_format_source":
        {"inline_string": "%FILTER_STATE(wasm.breakglass:PLAIN)%\n"}}))
}

fn jwt_authn(key: &Key) -> Value {
    json!({"name": "jwt_authn", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"breakglass": {
            "issuer": ISSUER, "audiences": [AUDIENCE],
            "from_headers": [{"name": "x-breakglass-token"}],
            "claim_to_headers": [
                {"header_name": "x-breakglass-grant", "claim_name": "jti"},
                {"header_name": "x-breakglass-subject", "claim_name": "sub"},
            ],
            "payload_in_metadata": "claims",
            "jwt_cache_config": {"jwt_cache_size": 1000},
            "local_jwks": {"inline_string": jwks(&[key]).to_string()},
        }},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "breakglass"}}],
    }})
}

fn rbac() -> Value {
    json!({"name": "rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": {"orders-read": {
            "permissions": [{"and_rules": {"rules": [
                {"header": {"name": ":method", "string_match": {"exact": "GET"}}},
                {"url_path": {"path": {"safe_regex": {"regex": "/v1/orders/[^/]+"}}}},
            ]}}],
            "principals": [{"metadata": {
                "filter": "envoy.filters.http.jwt_authn",
                "path": [{"key": "claims"}, {"key": "scope"}],
                "value": {"string_match": {"contains": "orders:read"}},
            }}],
        }}},
    }})
}

fn access_log(format: &Value) -> Value {
    json!([{"name": "file", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": "/dev/null", "log_format": format,
    }}])
}

/// The facts of an audit record, as far as Envoy has them without the filter.
fn native_record() -> Value {
    let claim =
        |path: &str| format!("%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:{path})%");
    json!({
        "time": "%START_TIME%", "grant": claim("jti"), "subject": claim("sub"),
        "issuer": claim("iss"), "breakglass": claim("breakglass"), "scope": claim("scope"),
        "expires": claim("exp"), "method": "%REQ(:METHOD)%", "host": "%REQ(:AUTHORITY)%",
        "path": "%REQ(:PATH)%", "route": "%ROUTE_NAME%",
        "source_ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "request_id": "%REQ(X-REQUEST-ID)%", "status": "%RESPONSE_CODE%",
        "response_flags": "%RESPONSE_FLAGS%", "duration_ms": "%DURATION%",
        "bytes_received": "%BYTES_RECEIVED%", "bytes_sent": "%BYTES_SENT%",
        "upstream": "%UPSTREAM_HOST%",
    })
}
