//! The audit record: one JSON object per request that carried a token or met a rule that refuses.
//!
//! A first record is written at the decision, the final one when the request is logged. Values from
//! outside are bounded, and JSON escapes them; a token, a secret or an unverified claim has no field.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use crate::config::Config;
use crate::instant::{Instant, millis};
use crate::request::Facts;
use crate::token::VerifiedToken;
use crate::traffic::Traffic;

/// The version of the record's form: it changes when a member is renamed, removed or means
/// something else, not when one is added.
pub const VERSION: u32 = 1;

/// The longest value that a client chose, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// About as long as half a record is, in bytes.
const TYPICAL_BYTES: usize = 512;

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
    /// It was allowed, and ended before its time was up.
    Cut,
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
            Decision::Cut => "cut",
        }
    }
}

/// How it became known whether the grant still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationSource {
    /// The feed: either the grant is known to be revoked, or the knowledge is fresh.
    Feed,
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
            RevocationSource::Feed => "feed",
            RevocationSource::Introspection => "introspection",
            RevocationSource::IntrospectionCache => "introspection_cache",
            RevocationSource::Unavailable => "unavailable",
            RevocationSource::NotConfigured => "not_configured",
        }
    }
}

/// What was known about a grant when a request under it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) source: RevocationSource,
    /// The position in the feed.
    pub(crate) epoch: Option<u64>,
    /// How old the knowledge from the feed was.
    pub(crate) epoch_age: Option<Duration>,
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
}

/// The end of a request.
#[derive(Debug)]
pub(crate) struct End<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) traffic: &'a Traffic,
    /// The body bytes that had passed when its grant was known to be revoked.
    pub(crate) until_revoked: Option<u64>,
    pub(crate) logged: Instant,
}

/// What was decided about one request.
#[derive(Debug)]
pub(crate) struct Ruled {
    pub(crate) arrived: Instant,
    pub(crate) decision: Decision,
    pub(crate) reason: &'static str,
    pub(crate) token: Option<Rc<VerifiedToken>>,
    pub(crate) scope: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) standing: Option<Standing>,
    pub(crate) facts: Facts,
}

/// What was decided, with the part of its records that cannot change any more.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) ruled: Ruled,
    head: String,
}

/// The first members, in the order in which they are written: known at the decision.
#[derive(Serialize)]
struct Head<'a> {
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
    method: Cow<'a, str>,
    host: Cow<'a, str>,
    path: Cow<'a, str>,
    route: Option<Cow<'a, str>>,
    source_ip: Option<String>,
    request_id: Option<Cow<'a, str>>,
}

/// The other members, in the order in which they are written: complete at the end.
#[derive(Serialize)]
struct Tail<'a> {
    status: Option<u64>,
    response_flags: Option<String>,
    duration_ms: Option<u64>,
    bytes_received: Option<u64>,
    bytes_sent: Option<u64>,
    bytes_after_revocation: Option<u64>,
    expires_in_s: Option<u64>,
    epoch: Option<u64>,
    epoch_age_ms: Option<u64>,
    revocation_source: Option<&'static str>,
    upstream: Option<Cow<'a, str>>,
    node: Option<&'a str>,
}

impl Decided {
    pub(crate) fn new(ruled: Ruled, config: &Config) -> Decided {
        let facts = &ruled.facts;
        let claims = ruled.token.as_ref().map(|token| token.claims());
        let issuer = ruled.token.as_ref().and_then(|token| config.issuers.get(token.issuer()));
        let breakglass = claims.map(|claims| &claims.breakglass);
        let host = facts.host.as_ref().map(|host| host.as_str().as_bytes());
        let path = facts.path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let head = json(&Head {
            v: VERSION,
            time: ruled.arrived.rfc3339(),
            decision: ruled.decision.word(),
            reason: ruled.reason,
            grant: claims.map(|claims| claims.jti.as_str()),
            subject: claims.map(|claims| claims.sub.as_str()),
            issuer: issuer.map(|issuer| issuer.issuer.as_str()),
            incident: breakglass.and_then(|breakglass| breakglass.incident.as_deref()),
            justification: breakglass.map(|breakglass| breakglass.reason.as_str()),
            approvers: breakglass.map(|breakglass| breakglass.approvers.as_slice()),
            emergency: breakglass.map(|breakglass| breakglass.emergency),
            scope: ruled.scope.as_deref(),
            rule: ruled.rule.as_deref(),
            method: bounded(&facts.method),
            host: bounded(host.unwrap_or(&facts.authority)),
            path: bounded(path),
            route: facts.route.as_ref().map(|route| bounded(route.as_bytes())),
            source_ip: facts.source.map(|source| source.to_text()),
            request_id: (!facts.request_id.is_empty()).then(|| bounded(&facts.request_id)),
        });
        Decided { head, ruled }
    }

    /// The record at the decision (`end` is `None`), or the final one.
    pub(crate) fn record(&self, node: Option<&str>, end: Option<&End<'_>>) -> Record {
        let ruled = &self.ruled;
        let outcome = end.map(|end| &end.outcome);
        let claims = ruled.token.as_ref().map(|token| token.claims());
        let tail = json(&Tail {
            status: outcome.and_then(|outcome| outcome.status).filter(|status| *status > 0),
            response_flags: outcome.and_then(|outcome| outcome.response_flags).map(flags_text),
            duration_ms: end.map(|end| millis(end.logged.since(ruled.arrived))),
            bytes_received: end.map(|end| end.traffic.received()),
            bytes_sent: end.map(|end| end.traffic.sent()),
            bytes_after_revocation: end.and_then(|end| {
                end.until_revoked.map(|until| end.traffic.total().saturating_sub(until))
            }),
            expires_in_s: claims
                .map(|claims| Instant::from_seconds(claims.exp).since(ruled.arrived).as_secs()),
            epoch: ruled.standing.and_then(|standing| standing.epoch),
            epoch_age_ms: ruled.standing.and_then(|standing| standing.epoch_age).map(millis),
            revocation_source: ruled.standing.map(|standing| standing.source.word()),
            upstream: outcome.and_then(|outcome| outcome.upstream.as_deref()).map(bounded),
            node,
        });
        // Two objects become one: the first without its closing brace, the second without its
        // opening one.
        let head = self.head.strip_suffix('}').unwrap_or_default();
        let tail = tail.strip_prefix('{').unwrap_or_default();
        let mut record =
            String::with_capacity(head.len().saturating_add(tail.len()).saturating_add(1));
        record.push_str(head);
        record.push(',');
        record.push_str(tail);
        record
    }
}

/// An object as JSON. Nothing in it can fail to be written.
fn json(members: &impl Serialize) -> String {
    let mut text = Vec::with_capacity(TYPICAL_BYTES);
    match serde_json::to_writer(&mut text, members) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// Text of at most [`MAX_VALUE_BYTES`] bytes; what is not UTF-8 becomes U+FFFD.
fn bounded(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value.get(..MAX_VALUE_BYTES).unwrap_or(value))
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
