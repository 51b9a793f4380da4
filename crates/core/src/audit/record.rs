//! What is in a record, and in which order.
//!
//! Values from outside are bounded, and JSON escapes them; a token, a secret or an unverified claim
//! has no member.

use std::borrow::Cow;

use breakglass_types::Basis;
use serde::Serialize;

use crate::bodies::BodyRecord;
use crate::calls::StreamId;
use crate::config::Config;
use crate::instant::{Instant, millis};
use crate::policy::SourceAddress;

use super::bounded::{self, beginning, lossy};
use super::object::{Object, Record};
use super::uses::Used;
use super::{Chain, Decision, End, Link, RevocationSource, Ruled};

/// The version of the record's form: it changes when a member is renamed, removed or means
/// something else, not when one is added.
pub const VERSION: u32 = 1;

/// About as long as the members are that are known at the decision, and those after them, in bytes.
const HEAD_BYTES: usize = 1024;
const TAIL_BYTES: usize = 1024;

/// When in the life of a request a record is written.
#[derive(Debug)]
pub(crate) enum Phase<'a> {
    /// At the decision. It is not sealed, because another one takes its place.
    Decision,
    /// While it runs, after it has run for a while: now.
    Start(Instant),
    /// When it was logged; with the record that it left while it ran.
    End(&'a End<'a>, Option<Link>),
}

/// The word for it.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum PhaseWord {
    Decision,
    Start,
    End,
}

impl Phase<'_> {
    const fn word(&self) -> PhaseWord {
        match self {
            Phase::Decision => PhaseWord::Decision,
            Phase::Start(_) => PhaseWord::Start,
            Phase::End(..) => PhaseWord::End,
        }
    }
}

/// What was decided, with the part of its records that cannot change any more.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) ruled: Ruled,
    head: Object,
}

/// The first members, in the order in which they are written: known at the decision.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Head<'a> {
    /// The version of this form.
    v: u32,
    /// When the request came: RFC 3339, UTC, milliseconds.
    time: String,
    /// What was decided.
    decision: Decision,
    /// The reason code.
    reason: &'static str,
    /// The grant's id, the token's `jti`; like all down to `basis`, null before the signature is verified.
    grant: Option<&'a str>,
    /// Who holds the grant.
    subject: Option<&'a str>,
    /// Who issued the token.
    issuer: Option<&'a str>,
    /// The incident that it was granted for.
    incident: Option<&'a str>,
    /// Why it was asked for.
    justification: Option<&'a str>,
    /// Who approved it.
    approvers: Option<&'a [String]>,
    /// Whether it was granted as an emergency.
    emergency: Option<bool>,
    /// Why the grant exists: `approved`, `pre_approved` or `emergency`; null where the token does not say.
    basis: Option<&'static str>,
    /// The scope that decided.
    scope: Option<&'a str>,
    /// The digest of that scope's rules, as this filter has them (docs/scope-digests.md).
    scope_digest: Option<&'a str>,
    /// The digest of the rules that were approved for that scope, where the token names other ones than those.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_digest: Option<String>,
    /// The path template or rule that decided.
    rule: Option<&'a str>,
    /// The request's method.
    method: Cow<'a, str>,
    /// The request's host, without port.
    host: Cow<'a, str>,
    /// The request's path, without query.
    path: Cow<'a, str>,
    /// Envoy's route name.
    route: Option<&'a str>,
    /// The client's address.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    source_ip: Option<SourceAddress>,
    /// `x-request-id`.
    request_id: Option<Cow<'a, str>>,
    /// The protocols that it asked to switch to, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade: Option<Cow<'a, str>>,
}

/// The members after them, in the order in which they are written: complete at the end. Those of the
/// chain follow.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Tail<'a> {
    /// When the record was written.
    phase: PhaseWord,
    /// The status that the client got.
    status: Option<u64>,
    /// Envoy's response flags; `-` for none.
    response_flags: Option<String>,
    /// From the beginning of the request to its log, or to this record of its start, in milliseconds.
    duration_ms: Option<u64>,
    /// Body bytes from the client.
    bytes_received: Option<u64>,
    /// Body bytes to the client.
    bytes_sent: Option<u64>,
    /// Body bytes in both directions since the worker knew that the grant is revoked.
    bytes_after_revocation: Option<u64>,
    /// What was left of the grant when the request came, in seconds.
    expires_in_s: Option<u64>,
    /// The position in the feed of revocations.
    epoch: Option<u64>,
    /// How old the knowledge from the feed was, in milliseconds.
    epoch_age_ms: Option<u64>,
    /// How it was known whether the grant stands.
    revocation_source: Option<RevocationSource>,
    /// The upstream's address.
    upstream: Option<Cow<'a, str>>,
    /// The name of the route that was used, where that is another than `route`; null for a route without a name, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    route_used: Option<Option<&'a str>>,
    /// Envoy's node id.
    node: Option<&'a str>,
    /// Envoy's number of the request in its VM.
    stream: StreamId,
    /// What came from the client, where the scope asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<BodyRecord>,
    /// What went to the client, where the scope asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<BodyRecord>,
    /// The record that the stream left while it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<&'a Link>,
}

impl Decided {
    pub(crate) fn new(ruled: Ruled, config: &Config) -> Decided {
        let facts = &ruled.facts;
        let claims = ruled.token.as_ref().map(|token| token.claims());
        let issuer = ruled.token.as_ref().and_then(|token| config.issuers.get(token.issuer()));
        let breakglass = claims.map(|claims| &claims.breakglass);
        let scope = ruled.scope.as_deref();
        let digest = scope.and_then(|scope| config.scopes.digests().get(scope));
        let approved = scope.and_then(|scope| breakglass?.scopes.get(scope));
        let approved = approved.filter(|approved| Some(*approved) != digest);
        let host = facts.host.as_ref().map(|host| host.as_str().as_bytes());
        let path = facts.path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let upgrade = facts.upgrades.text();
        let mut head = Object::open(HEAD_BYTES);
        head.add(&Head {
            v: VERSION,
            time: ruled.arrived.rfc3339(),
            decision: ruled.decision,
            reason: ruled.reason.code(),
            grant: claims.map(|claims| name(&claims.jti)),
            subject: claims.map(|claims| name(&claims.sub)),
            issuer: issuer.map(|issuer| name(&issuer.issuer)),
            incident: breakglass.and_then(|breakglass| breakglass.incident.as_deref()).map(name),
            justification: breakglass
                .map(|breakglass| beginning(&breakglass.reason, bounded::JUSTIFICATION)),
            approvers: breakglass
                .map(|breakglass| bounded::first(&breakglass.approvers, bounded::APPROVERS)),
            emergency: breakglass.map(|breakglass| breakglass.emergency),
            basis: breakglass.and_then(|breakglass| breakglass.basis).map(Basis::word),
            scope: scope.map(name),
            scope_digest: scope.and_then(|scope| config.scopes.digest_text(scope)),
            approved_digest: approved.map(|digest| digest.text()),
            rule: ruled.rule.as_deref().map(|rule| beginning(rule, bounded::RULE)),
            method: lossy(&facts.method, bounded::METHOD),
            host: lossy(host.unwrap_or(&facts.authority), bounded::HOST),
            path: lossy(path, bounded::PATH),
            route: facts.route.as_deref().map(|route| beginning(route, bounded::ROUTE)),
            source_ip: facts.source,
            request_id: (!facts.request_id.is_empty())
                .then(|| lossy(&facts.request_id, bounded::REQUEST_ID)),
            upgrade: upgrade.as_deref().map(|names| lossy(names, bounded::UPGRADE)),
        });
        Decided { head, ruled }
    }

    /// A record of this request. What is sealed is the head of the chain then.
    pub(crate) fn record(
        &self,
        stream: StreamId,
        node: Option<&str>,
        phase: &Phase<'_>,
        chain: &mut Chain,
    ) -> Record {
        let ruled = &self.ruled;
        let (end, start) = match phase {
            Phase::End(end, start) => (Some(*end), start.as_ref()),
            Phase::Decision | Phase::Start(_) => (None, None),
        };
        let written = match phase {
            Phase::Decision => None,
            Phase::Start(now) => Some(*now),
            Phase::End(end, _) => Some(end.logged),
        };
        let outcome = end.map(|end| &end.outcome);
        let (request_body, response_body) =
            end.map(|end| end.traffic.records()).unwrap_or_default();
        let claims = ruled.token.as_ref().map(|token| token.claims());
        let mut record = self.head.copy(TAIL_BYTES);
        record.add(&Tail {
            phase: phase.word(),
            status: outcome.and_then(|outcome| outcome.status).filter(|status| *status > 0),
            response_flags: outcome.and_then(|outcome| outcome.response_flags).map(flags_text),
            duration_ms: written.map(|written| millis(written.since(ruled.arrived))),
            bytes_received: end.map(|end| end.traffic.received()),
            bytes_sent: end.map(|end| end.traffic.sent()),
            bytes_after_revocation: end.and_then(|end| {
                end.until_revoked.map(|until| end.traffic.total().saturating_sub(until))
            }),
            expires_in_s: claims
                .map(|claims| Instant::from_seconds(claims.exp).since(ruled.arrived).as_secs()),
            epoch: ruled.standing.and_then(|standing| standing.epoch),
            epoch_age_ms: ruled.standing.and_then(|standing| standing.epoch_age).map(millis),
            revocation_source: ruled.standing.map(|standing| standing.source),
            upstream: outcome
                .and_then(|outcome| outcome.upstream.as_deref())
                .map(|upstream| lossy(upstream, bounded::UPSTREAM)),
            route_used: ruled
                .facts
                .other_route()
                .map(|name| name.map(|name| beginning(name, bounded::ROUTE))),
            node,
            stream,
            request_body,
            response_body,
            start,
        });
        match phase {
            Phase::Decision => chain.mark(record),
            Phase::Start(_) | Phase::End(..) => {
                chain.seal(record, claims.map(|claims| (claims, Used::of(ruled))))
            }
        }
    }
}

fn name(text: &str) -> &str {
    beginning(text, bounded::NAME)
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

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;

    use super::super::chain::Seal;
    use super::*;
    use crate::testing::{assert_generated, test};

    /// The schema that the documents hand out.
    const DOCUMENTED: &str = include_str!("../../../../docs/audit-record.schema.json");

    /// A breakglass audit record. It is for one request that carried a token or met a rule that
    /// refuses; docs/audit.md has the rest.
    #[derive(Serialize, schemars::JsonSchema)]
    #[schemars(title = "breakglass audit record")]
    struct Whole<'a> {
        #[serde(flatten)]
        head: Head<'a>,
        #[serde(flatten)]
        tail: Tail<'a>,
        #[serde(flatten)]
        seal: Seal<'a>,
        /// SHA-256 over this record without this member; null if it is not sealed.
        hash: Option<String>,
    }

    #[test]
    fn the_documented_schema_is_that_of_the_type() {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let schema = generator.into_root_schema_for::<Whole<'_>>();
        let schema = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        assert_generated("docs/audit-record.schema.json", DOCUMENTED, &schema);
    }
}
