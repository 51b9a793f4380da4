//! How a refusal reads: status, challenge and body, for people and for gRPC clients.
//!
//! Before a signature was verified an answer says no more than the reason code. After it, the
//! holder is told what the grant covers, and the command that asks for what is missing.

use std::borrow::Cow;

use serde::Serialize;

use crate::config::Config;
use crate::decision::Denial;
use crate::instant::Instant;
use crate::policy::{HostPattern, PathTemplate, Scope};
use crate::reason::DenyReason;
use crate::request::Facts;
use crate::step::Refusal;
use crate::token::VerifiedToken;

/// The most scopes that one answer describes.
const MAX_SCOPES_SHOWN: usize = 16;

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
    let remedy = denial.ask_for.as_ref().map(|scope| remedy(scope, denial, config));
    let mut headers = Vec::new();
    if let Some(challenge) = challenge(denial, config) {
        headers.push(("www-authenticate", challenge));
    }
    headers.push(("cache-control", "no-store".to_owned()));
    let body = if facts.grpc {
        let remedy = remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
        format!("{}: {detail}{remedy}", denial.reason.code()).into_bytes()
    } else {
        headers.push(("content-type", "application/problem+json".to_owned()));
        let problem = Problem {
            kind: format!("urn:breakglass:reason:{}", denial.reason.code()),
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

/// `WWW-Authenticate` (RFC 6750 section 3, RFC 9470 section 3).
fn challenge(denial: &Denial, config: &Config) -> Option<String> {
    let code = denial.reason.code();
    let challenge = match denial.reason {
        DenyReason::TokenMissing => String::new(),
        // No other token would help.
        DenyReason::RouteChanged | DenyReason::MaxStream => return None,
        DenyReason::StepUpRequired => {
            let require = denial.scope.as_ref().and_then(|name| config.scopes.get(name));
            let require = require.map(|scope| &scope.require);
            let acr = require.and_then(|require| require.acr.as_ref()).map(|acr| {
                let plain = |class: &&String| {
                    class.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
                };
                let classes: Vec<&str> = acr.iter().filter(plain).map(String::as_str).collect();
                format!(", acr_values=\"{}\"", classes.join(" "))
            });
            let age = require.and_then(|require| require.max_auth_age);
            let age = age.map(|age| format!(", max_age=\"{}\"", age.as_secs()));
            format!(
                ", error=\"insufficient_user_authentication\", error_description=\"{code}\"{}{}",
                acr.unwrap_or_default(),
                age.unwrap_or_default()
            )
        }
        _ => match denial.reason.status() {
            401 => format!(", error=\"invalid_token\", error_description=\"{code}\""),
            403 => {
                let scope = denial.ask_for.as_ref().map(|scope| format!(", scope=\"{scope}\""));
                format!(
                    ", error=\"insufficient_scope\", error_description=\"{code}\"{}",
                    scope.unwrap_or_default()
                )
            }
            _ => return None,
        },
    };
    Some(format!("Bearer realm=\"breakglass\"{challenge}"))
}

/// What happened and what to do, for the person who has to act. Says nothing about a token that
/// was not verified.
fn detail(denial: &Denial) -> String {
    if let Some(remedy) = &denial.remedy {
        return remedy.clone();
    }
    match denial.reason {
        DenyReason::TokenMissing => {
            "this needs a break-glass token: ask for one with `breakglass request`".into()
        }
        DenyReason::Ceiling => "no grant can reach this".into(),
        DenyReason::OutOfScope => match denial.ask_for {
            Some(_) => "the grant does not cover this request; ask for the scope that does".into(),
            None => "the grant does not cover this request, and no scope does".into(),
        },
        DenyReason::MethodOverride => {
            "send the method itself, without a header that overrides it".into()
        }
        DenyReason::ReservedHeader => {
            "send it without headers that begin with `x-breakglass-`, the token's aside: they could choose \
             the route by which the grant is judged"
                .into()
        }
        DenyReason::SecondResource => {
            "send the path itself, without a header or parameter that names another one".into()
        }
        DenyReason::AmbiguousPath => {
            "the path can be read in two ways: send it without empty or dot segments, `;`, `\\`, and \
             encoded separators"
                .into()
        }
        DenyReason::Revoked => "the grant was revoked or has ended".into(),
        DenyReason::ScopeWithdrawn => {
            "the configuration has changed, and the grant no longer covers this request".into()
        }
        DenyReason::RouteChanged => {
            "this proxy sent the request by another route than the one that was judged, and the grant does not \
             cover that one. It may have been carried out: look before you repeat it. The audit record names both \
             routes, for whoever runs the proxy"
                .into()
        }
        DenyReason::MaxStream => {
            "it has run for as long as the scope lets one stream run (`max_stream`). What it asked for may have been \
             carried out: look before you repeat it"
                .into()
        }
        DenyReason::RedirectElsewhere => {
            "the answer leads to another authority, or from https to http, and the scope does not let it \
             (`redirects`): a client that follows could take the token along. The request may have been carried \
             out: look before you repeat it"
                .into()
        }
        DenyReason::RevocationUnknown => {
            "whether the grant still stands could not be checked; try again".into()
        }
        DenyReason::TokenExpired if denial.token.is_some() => {
            "the grant has ended: ask for a new one with `breakglass request`".into()
        }
        DenyReason::SenderMismatch => {
            "the token is bound to a client certificate that was not presented".into()
        }
        DenyReason::KeysUnavailable => {
            "the issuer's keys could not be fetched; try again".into()
        }
        DenyReason::ConfiguredTwice => {
            "the break-glass filter is in this filter chain twice, and not known to have one configuration: tell \
             who runs this proxy to remove one"
                .into()
        }
        DenyReason::InternalError => "the break-glass filter failed; try again".into(),
        other => format!("the token was refused: {}", other.code()),
    }
}

/// The command that asks for the scope that covers this request.
fn remedy(scope: &str, denial: &Denial, config: &Config) -> String {
    let incident = denial
        .token
        .as_ref()
        .and_then(|token| token.claims().breakglass.incident.as_deref())
        // The command line would take it for an option.
        .filter(|incident| !incident.starts_with('-'))
        .map(|incident| format!(" --incident {}", shell_word(incident)))
        .unwrap_or_default();
    let limit = config.scopes.get(scope).and_then(|scope| scope.require.max_lifetime);
    let half_an_hour = std::time::Duration::from_secs(30 * 60);
    let duration = limit.unwrap_or(half_an_hour).min(half_an_hour);
    format!(
        "breakglass request --scope {} --reason '<why>'{incident} --duration {}",
        shell_word(scope),
        crate::instant::format_duration(duration)
    )
}

/// A word for a shell that takes it as it is: quoted unless nothing in it means anything to a shell.
fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.,:/@+=".contains(&byte);
    if word.bytes().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
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
