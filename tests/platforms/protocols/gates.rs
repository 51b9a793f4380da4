//! The gates in front of a server, which differ by the filter only.

use std::net::{SocketAddr, TcpStream};

use breakglass_tests::approvals::{FakeApprovals, INTROSPECTION, Reply};
use breakglass_tests::bootstrap::Settings;
use breakglass_tests::envoy::Envoy;
use breakglass_tests::keys::Key;
use breakglass_tests::policy;
use breakglass_tests::record::Record;
use breakglass_tests::tokens::Mint;
use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a token of these gates lasts, in seconds: longer than a suite takes.
const LIFETIME_S: u64 = 3600;

/// What is different about a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// It has no filter.
    Bare,
    /// It has the filter, and no request has a token.
    Filtered,
    /// It has the filter, and every request has a token for everything.
    Permitted,
}

impl Variant {
    /// All of them, the one that the others are compared with first.
    pub(super) const ALL: [Variant; 3] = [Variant::Bare, Variant::Filtered, Variant::Permitted];
}

/// A running Envoy in front of a server.
pub(super) struct ProtocolGate {
    variant: Variant,
    envoy: Envoy,
    /// Says that every token is active.
    _approvals: FakeApprovals,
}

impl ProtocolGate {
    pub(super) fn start(variant: Variant, server: SocketAddr) -> ProtocolGate {
        let approvals = FakeApprovals::start();
        approvals.reply(INTROSPECTION, Reply::json(&json!({"active": true})));
        let key = Key::es256("key-1");
        let filter = (variant != Variant::Bare).then(|| everything(&key).to_string());
        let mut settings = Settings::new(filter, server, approvals.address());
        if variant == Variant::Permitted {
            let token = Mint::new(&key).scope("everything").issued(0, LIFETIME_S).sign();
            settings.first = Some(putting_in("x-breakglass-token", &token));
        }
        let envoy = Envoy::share(settings, TempDir::new().unwrap());
        ProtocolGate { variant, envoy, _approvals: approvals }
    }

    pub(super) fn variant(&self) -> Variant {
        self.variant
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    /// The port, for a client's arguments.
    pub(super) fn port(&self) -> String {
        self.address().port().to_string()
    }

    /// Checks that the gate was what it is meant to be: with a token every request, and at least so many, was
    /// let through under the permit, and without one the filter had nothing to do with any.
    pub(super) fn assert_was_itself(&self, least: usize) {
        let expected = match self.variant {
            Variant::Bare | Variant::Filtered => None,
            Variant::Permitted => Some("allow"),
        };
        let records = until("the records of the requests", || {
            let records = self.envoy.records();
            (records.len() >= least).then_some(records)
        });
        // Envoy ends some requests of h2spec before any filter has seen them.
        let seen = |record: &&Record| record.status() != Some(0) && reached_filters(record);
        let other: Vec<_> = records
            .iter()
            .filter(seen)
            .filter(|record| decision(record) != expected)
            .map(|record| record.line().to_string())
            .collect();
        let (count, first) = (other.len(), other.first());
        assert_eq!(count, 0, "{:?}: of {} records: {first:?}", self.variant, records.len());
        assert!(!self.envoy.has_failed_vms(), "{:?}: a VM has failed", self.variant);
    }
}

fn decision(record: &Record) -> Option<&str> {
    record.audit().map_or(record.decision(), |audit| audit.text_of("decision"))
}

/// Whether a request came as far as the filters.
fn reached_filters(record: &Record) -> bool {
    let ends = ["http1.", "http2.", "missing_", "downstream_", "codec_error", "path_normalization"];
    !ends.iter().any(|end| record.details().starts_with(end))
}

/// Waits until somebody listens.
pub(super) fn until_listening(server: SocketAddr) {
    until("the server", || TcpStream::connect(server).ok().map(drop));
}

/// A policy whose one scope is everything.
fn everything(key: &Key) -> Value {
    let mut filter = policy::standard(&[key]);
    let rules = filter.as_object_mut().unwrap();
    rules.remove("protected");
    rules.remove("ceiling");
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    rules["scopes"] = json!([{"name": "everything", "methods": methods, "paths": ["/", "/**"],
        "upgrades": ["websocket"]}]);
    filter
}

/// Envoy's filter that sets a header of every request.
fn putting_in(name: &str, value: &str) -> Value {
    let append = json!({"header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"});
    json!({"name": "put-in", "typed_config": {
        "@type":
            "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": [{"append": append}]},
    }})
}
