//! The audit record: one JSON object per request that carried a token or met a rule that refuses.
//!
//! A first record is written at the decision, the final one when the request is logged. Values from
//! outside are bounded, and JSON escapes them; a token, a secret or an unverified claim has no field.

use std::rc::Rc;

use serde::Serialize;

use crate::config::Config;
use crate::instant::{Instant, millis};
use crate::request::Facts;
use crate::token::VerifiedToken;

/// The version of the record's form: it changes when a member is renamed, removed or means
/// something else, not when one is added.
pub const VERSION: u32 = 1;

/// The longest value that a client chose, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// One record, as JSON without line breaks.
pub type Record = String;

/// The word for what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may pass under its grant.
    Allow,
    /// It was refused.
    Deny,
    /// It would have been refused, were the filter not in shadow mode.
    ShadowDeny,
    /// It passed without a token.
    Pass,
}

impl Decision {
    /// The stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::ShadowDeny => "shadow_deny",
            Decision::Pass => "pass",
        }
    }
}

/// How it became known whether the grant still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationSource {
    /// The approval service was asked for this request.
    Introspection,
    /// An earlier answer of the approval service still counts.
    IntrospectionCache,
    /// The approval service gave no answer that counts.
    Unavailable,
    /// The configuration names nobody to ask.
    NotConfigured,
}

impl RevocationSource {
    /// The stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            RevocationSource::Introspection => "introspection",
            RevocationSource::IntrospectionCache => "introspection_cache",
            RevocationSource::Unavailable => "unavailable",
            RevocationSource::NotConfigured => "not_configured",
        }
    }
}

/// How a request ended, as Envoy knows it when it logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The status that the client got; `None` if there was none.
    pub status: Option<u64>,
    /// Envoy's `response.flags`: a set of bits.
    pub response_flags: Option<u64>,
    /// The upstream's address.
    pub upstream: Option<Vec<u8>>,
    /// Body bytes that came from the client.
    pub bytes_received: u64,
    /// Body bytes that went to the client.
    pub bytes_sent: u64,
}

/// What was decided about one request: all that its records say.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) arrived: Instant,
    pub(crate) decision: Decision,
    pub(crate) reason: &'static str,
    pub(crate) token: Option<Rc<VerifiedToken>>,
    pub(crate) scope: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) revocation_source: Option<RevocationSource>,
    pub(crate) request: Request,
}

/// What a record says of the request itself.
#[derive(Debug)]
pub(crate) struct Request {
    method: String,
    host: String,
    path: String,
    route: Option<String>,
    source_ip: Option<String>,
    request_id: Option<String>,
}

impl Request {
    pub(crate) fn of(facts: &Facts) -> Request {
        let path = facts.path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let host = facts.host.as_ref().map(|host| bounded(host.as_str().as_bytes()));
        Request {
            method: bounded(&facts.method),
            host: host.unwrap_or_else(|| bounded(&facts.authority)),
            path: bounded(path),
            route: facts.route.as_ref().map(|route| bounded(route.as_bytes())),
            source_ip: facts.source.map(|source| source.to_text()),
            request_id: (!facts.request_id.is_empty()).then(|| bounded(&facts.request_id)),
        }
    }
}

/// The members in the order in which they are written.
#[derive(Serialize)]
struct Members<'a> {
    v: u32,
    time: String,
    decision: &'static str,
    reason: &'static str,
    grant: Option<&'a str>,
    subject: Option<&'a str>,
    issuer: Option<&'a str>,
    incident: Option<&'a str>,
    justification: Option<&'a str>,
    approvers: Option<&'a [String]>,
    emergency: Option<bool>,
    scope: Option<&'a str>,
    rule: Option<&'a str>,
    method: &'a str,
    host: &'a str,
    path: &'a str,
    route: Option<&'a str>,
    source_ip: Option<&'a str>,
    request_id: Option<&'a str>,
    status: Option<u64>,
    response_flags: Option<String>,
    duration_ms: Option<u64>,
    bytes_received: Option<u64>,
    bytes_sent: Option<u64>,
    expires_in_s: Option<u64>,
    epoch: Option<u64>,
    epoch_age_ms: Option<u64>,
    revocation_source: Option<&'static str>,
    upstream: Option<String>,
    node: Option<&'a str>,
}

impl Decided {
    /// The record at the decision (`end` is `None`), or the final one.
    pub(crate) fn record(
        &self,
        config: &Config,
        node: Option<&str>,
        end: Option<(&Outcome, Instant)>,
    ) -> Record {
        let claims = self.token.as_ref().map(|token| token.claims());
        let breakglass = claims.map(|claims| &claims.breakglass);
        let outcome = end.map(|(outcome, _)| outcome);
        let members = Members {
            v: VERSION,
            time: self.arrived.rfc3339(),
            decision: self.decision.word(),
            reason: self.reason,
            grant: claims.map(|claims| claims.jti.as_str()),
            subject: claims.map(|claims| claims.sub.as_str()),
            issuer: self
                .token
                .as_ref()
                .and_then(|token| config.issuers.get(token.issuer()))
                .map(|issuer| issuer.issuer.as_str()),
            incident: breakglass.and_then(|breakglass| breakglass.incident.as_deref()),
            justification: breakglass.map(|breakglass| breakglass.reason.as_str()),
            approvers: breakglass.map(|breakglass| breakglass.approvers.as_slice()),
            emergency: breakglass.map(|breakglass| breakglass.emergency),
            scope: self.scope.as_deref(),
            rule: self.rule.as_deref(),
            method: &self.request.method,
            host: &self.request.host,
            path: &self.request.path,
            route: self.request.route.as_deref(),
            source_ip: self.request.source_ip.as_deref(),
            request_id: self.request.request_id.as_deref(),
            status: outcome.and_then(|outcome| outcome.status).filter(|status| *status > 0),
            response_flags: outcome.and_then(|outcome| outcome.response_flags).map(flags_text),
            duration_ms: end.map(|(_, logged)| millis(logged.since(self.arrived))),
            bytes_received: outcome.map(|outcome| outcome.bytes_received),
            bytes_sent: outcome.map(|outcome| outcome.bytes_sent),
            expires_in_s: claims
                .map(|claims| Instant::from_seconds(claims.exp).since(self.arrived).as_secs()),
            epoch: None,
            epoch_age_ms: None,
            revocation_source: self.revocation_source.map(RevocationSource::word),
            upstream: outcome.and_then(|outcome| outcome.upstream.as_deref()).map(bounded),
            node,
        };
        serde_json::to_string(&members).unwrap_or_default()
    }
}

/// Text of at most [`MAX_VALUE_BYTES`] bytes; what is not UTF-8 becomes U+FFFD.
fn bounded(value: &[u8]) -> String {
    let value = value.get(..MAX_VALUE_BYTES).unwrap_or(value);
    String::from_utf8_lossy(value).into_owned()
}

/// The short names of Envoy's response flags by bit, in the order of Envoy's `CoreResponseFlag`.
const FLAGS: [&str; 30] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC",
    "URX", "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR",
    "UDO",
];

/// The flags as `%RESPONSE_FLAGS%` prints them.
fn flags_text(bits: u64) -> String {
    let set = FLAGS.iter().enumerate().filter(|(bit, _)| (bits >> bit) & 1 == 1);
    let names: Vec<&str> = set.map(|(_, name)| *name).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}
