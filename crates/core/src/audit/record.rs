//! What is in a record, and in which order.
//!
//! Values from outside are bounded, and JSON escapes them; a token, a secret or an unverified claim
//! has no member.

use std::borrow::Cow;

use serde::Serialize;

use crate::calls::StreamId;
use crate::config::Config;
use crate::instant::{Instant, millis};

use super::{Chain, End, Link, Record, Ruled};

/// The version of the record's form: it changes when a member is renamed, removed or means
/// something else, not when one is added.
pub const VERSION: u32 = 1;

/// The longest value that a client chose, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// About as long as half a record is, in bytes.
const TYPICAL_BYTES: usize = 512;

/// When in the life of a request a record was written.
#[derive(Debug)]
pub(crate) enum Phase<'a> {
    /// At the decision. It is not sealed, because another one takes its place.
    Decision,
    /// While it runs, after it has run for a while.
    Start,
    /// When it was logged; with the record that it left while it ran.
    End(&'a End<'a>, Option<Link>),
}

impl Phase<'_> {
    const fn word(&self) -> &'static str {
        match self {
            Phase::Decision => "decision",
            Phase::Start => "start",
            Phase::End(..) => "end",
        }
    }
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

/// The members after them, in the order in which they are written: complete at the end. Those of the
/// chain follow.
#[derive(Serialize)]
struct Tail<'a> {
    phase: &'static str,
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
    stream: StreamId,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<&'a Link>,
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

    /// A record of this request. What is sealed gets its place in the chain.
    pub(crate) fn record(
        &self,
        stream: StreamId,
        node: Option<&str>,
        phase: &Phase<'_>,
        chain: &mut Chain,
    ) -> (Record, Option<Link>) {
        let ruled = &self.ruled;
        let (end, start) = match phase {
            Phase::End(end, start) => (Some(*end), start.as_ref()),
            Phase::Decision | Phase::Start => (None, None),
        };
        let outcome = end.map(|end| &end.outcome);
        let claims = ruled.token.as_ref().map(|token| token.claims());
        let tail = json(&Tail {
            phase: phase.word(),
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
            stream,
            start,
        });
        // Two objects become one: the first without its closing brace, the second without both.
        let head = self.head.strip_suffix('}').unwrap_or_default();
        let tail =
            tail.strip_prefix('{').and_then(|tail| tail.strip_suffix('}')).unwrap_or_default();
        let mut record = String::with_capacity(TYPICAL_BYTES.saturating_mul(3));
        record.push_str(head);
        record.push(',');
        record.push_str(tail);
        match phase {
            Phase::Decision => (chain.mark(record), None),
            Phase::Start | Phase::End(..) => {
                let (record, link) = chain.seal(record, claims);
                (record, Some(link))
            }
        }
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
