//! How a refusal reads: status, challenge and body, for people and for gRPC clients.
//!
//! Before a signature was verified an answer says no more than the reason code. After it, the
//! holder is told what the grant covers, and the command that asks for what is missing.

mod challenge;
mod command;
mod detail;

use breakglass_types::names::REASON_URN;
use serde::Serialize;

use crate::config::Config;
use crate::decision::Denial;
use crate::instant::Instant;
use crate::policy::{HostPattern, PathTemplate, Scope};
use crate::reason::DenyReason;
use crate::request::Facts;
use crate::step::Refusal;
use crate::token::VerifiedToken;

use challenge::challenge;
use command::command;
use detail::detail;

/// The most scopes that one answer describes.
const MAX_SCOPES_SHOWN: usize = 16;

/// When to try again what could not be checked, in seconds: some clients (kubectl) give up at once unless they are
/// told. Keys are fetched again after a second.
const RETRY_AFTER_S: u32 = 2;

/// The longest request id that is echoed, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// An `application/problem+json` document (RFC 9457 section 3) with extension members.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<GrantShown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// What the holder of a verified token is told about it.
#[derive(Serialize)]
struct GrantShown<'a> {
    id: &'a str,
    subject: &'a str,
    expires_at: String,
    scopes: Vec<ScopeShown<'a>>,
}

#[derive(Serialize)]
struct ScopeShown<'a> {
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<&'a [String]>,
    methods: &'a [String],
    paths: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrades: Option<&'a [String]>,
}

/// Makes the answer to a request that is refused.
pub(crate) fn refuse(denial: &Denial, facts: &Facts, config: &Config) -> Refusal {
    let detail = detail(denial);
    let request_id = request_id(facts);
    let remedy = command(denial, config);
    let mut headers = Vec::new();
    if let Some(challenge) = challenge(denial, config) {
        headers.push(("www-authenticate", challenge));
    }
    headers.push(("cache-control", "no-store".to_owned()));
    if denial.reason.status() == 503 {
        headers.push(("retry-after", RETRY_AFTER_S.to_string()));
    }
    let body = if facts.grpc {
        let remedy = remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
        format!("{}: {detail}{remedy}", denial.reason.code()).into_bytes()
    } else {
        headers.push(("content-type", "application/problem+json".to_owned()));
        let problem = Problem {
            kind: format!("{REASON_URN}{}", denial.reason.code()),
            title: title(denial.reason),
            status: denial.reason.status(),
            detail,
            reason: denial.reason.code(),
            request_id,
            grant: denial.token.as_deref().map(|token| shown(token, config)),
            remedy,
        };
        serde_json::to_vec(&problem).unwrap_or_default()
    };
    Refusal { reason: denial.reason, headers, body, grpc_status: grpc_status(denial.reason) }
}

/// The gRPC status for each HTTP status of a refusal.
fn grpc_status(reason: DenyReason) -> i32 {
    match reason.status() {
        400 => 3,  // INVALID_ARGUMENT
        401 => 16, // UNAUTHENTICATED
        403 => 7,  // PERMISSION_DENIED
        503 => 14, // UNAVAILABLE
        _ => 13,   // INTERNAL
    }
}

fn title(reason: DenyReason) -> &'static str {
    if reason == DenyReason::ConfiguredTwice {
        return "The break-glass filter is configured twice";
    }
    match reason.status() {
        400 => "The request can be read in two ways",
        401 => "A valid break-glass token is needed",
        403 => "The grant does not cover this request",
        502 => "The answer leads elsewhere",
        503 => "The grant cannot be checked now",
        _ => "The break-glass filter failed",
    }
}

fn shown<'a>(token: &'a VerifiedToken, config: &'a Config) -> GrantShown<'a> {
    let claims = token.claims();
    let scopes = claims.scope.iter().filter_map(|name| config.scopes.get(name));
    GrantShown {
        id: &claims.jti,
        subject: &claims.sub,
        expires_at: Instant::from_seconds(claims.exp).rfc3339(),
        scopes: scopes.take(MAX_SCOPES_SHOWN).map(scope_shown).collect(),
    }
}

fn scope_shown(scope: &Scope) -> ScopeShown<'_> {
    let hosts = scope.hosts.as_ref();
    ScopeShown {
        scope: &scope.name,
        hosts: hosts.map(|hosts| hosts.iter().map(HostPattern::to_text).collect()),
        routes: scope.routes.as_deref(),
        methods: &scope.methods,
        paths: scope.paths.iter().map(PathTemplate::as_str).collect(),
        upgrades: scope.upgrades.as_deref(),
    }
}

fn request_id(facts: &Facts) -> Option<&str> {
    std::str::from_utf8(&facts.request_id)
        .ok()
        .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES)
}
