//! What is in an alert: texts of bounded length, and nothing of a token that is not verified but its `kid` and `iss`.

use std::time::Duration;

use breakglass_types::Basis;
use breakglass_types::alerts::{self, AlertKind, Unverified, cut};
use breakglass_types::claims::Breakglass;
use breakglass_types::limits::{MAX_ALERT_PATH_BYTES, MAX_ALERT_TEXT_BYTES};

use super::trouble::Change;
use crate::audit::{Decision, Ruled};
use crate::config::Config;
use crate::instant::{Instant, format_duration};
use crate::reason::DenyReason;
use crate::request::Facts;
use crate::token::UnverifiedToken;

/// An alert, as it is queued.
pub(super) type Alert = alerts::Alert<Box<str>, AlertKind>;

/// One about a decision, of which the first was at this time.
pub(super) fn decision(at: Box<str>, kind: AlertKind, ruled: &Ruled, config: &Config) -> Alert {
    let facts = &ruled.facts;
    let claims = ruled.token.as_ref().map(|token| token.claims());
    let issuer = ruled.token.as_ref().and_then(|token| config.issuers.get(token.issuer()));
    let audience = claims.zip(issuer).and_then(|(claims, issuer)| {
        claims.aud.iter().find(|audience| issuer.audiences.contains(audience))
    });
    let breakglass = claims.map(|claims| &claims.breakglass);
    let host = facts.host.as_ref().map_or(&facts.authority[..], |host| host.as_str().as_bytes());
    let path = facts.path.split(|byte| *byte == b'?').next().unwrap_or_default();
    Alert {
        grant: claims.map(|claims| text(&claims.jti)),
        issuer: issuer.map(|issuer| text(&issuer.issuer)),
        subject: claims.map(|claims| text(&claims.sub)),
        audience: audience.map(|audience| text(audience)),
        incident: breakglass.and_then(|breakglass| breakglass.incident.as_deref()).map(text),
        emergency: breakglass.map(is_emergency),
        scope: ruled.scope.as_deref().map(text),
        rule: ruled.rule.as_deref().map(text),
        reason: Some(text(ruled.reason.code())),
        method: some(&facts.method, MAX_ALERT_TEXT_BYTES),
        host: some(host, MAX_ALERT_TEXT_BYTES),
        path: some(path, MAX_ALERT_PATH_BYTES),
        route: facts.route.as_deref().map(text),
        source_ip: facts.source.map(|source| text(&source.to_string())),
        request_id: some(&facts.request_id, MAX_ALERT_TEXT_BYTES),
        detail: detail(kind, ruled).map(|detail| text(&detail)),
        ..Alert::new(kind, at)
    }
}

/// Whether a grant is an emergency's.
pub(super) fn is_emergency(breakglass: &Breakglass) -> bool {
    breakglass.emergency || breakglass.basis == Some(Basis::Emergency)
}

fn detail(kind: AlertKind, ruled: &Ruled) -> Option<String> {
    if kind == AlertKind::RouteChanged
        && let Some(used) = ruled.facts.other_route()
    {
        return Some(format!("the route that was used: {}", used.unwrap_or("one without a name")));
    }
    (ruled.decision == Decision::ShadowDeny).then(|| "shadow mode: the request went on".to_owned())
}

/// One about a request whose token is not verified.
pub(super) fn stranger(
    at: Box<str>,
    kind: AlertKind,
    reason: DenyReason,
    token: &[u8],
    facts: &Facts,
    config: &Config,
) -> Alert {
    let unverified = UnverifiedToken::parse(token, config.max_token_bytes).ok();
    let unverified = unverified.map(|token| Unverified {
        kid: Some(text(token.unverified_kid())),
        issuer: token.unverified_issuer().map(text),
    });
    Alert {
        reason: Some(text(reason.code())),
        source_ip: facts.source.map(|source| text(&source.to_string())),
        unverified,
        ..Alert::new(kind, at)
    }
}

/// One about the filter twice in the chain of a listener.
pub(super) fn configured_twice(at: Box<str>, why: &str, listener: Option<&str>) -> Alert {
    let listener = listener.unwrap_or("unknown");
    Alert {
        reason: Some(text(DenyReason::ConfiguredTwice.code())),
        detail: Some(text(&format!("listener {listener}: {why}"))),
        ..Alert::new(AlertKind::ConfiguredTwice, at)
    }
}

/// One about a chain that began where one of the same configuration had begun before.
pub(super) fn chain_restarted(at: Box<str>, before: Instant) -> Alert {
    let detail = format!(
        "the first chain of this configuration began at {}; a VM of the filter was restarted since (see Envoy's log for a \
         crash), unless a listener with the same configuration was added",
        before.rfc3339()
    );
    Alert { detail: Some(text(&detail)), ..Alert::new(AlertKind::ChainRestarted, at) }
}

/// One about the knowledge of revocations.
pub(super) fn feed_trouble(
    at: Box<str>,
    change: Change,
    age: Option<Duration>,
    max_staleness: Duration,
) -> Alert {
    let known = match age {
        Some(age) => format!("what is known of revocations is {} old", format_duration(age)),
        None => "nothing is known of revocations".to_owned(),
    };
    let counts_for = format_duration(max_staleness);
    state(at, AlertKind::FeedTrouble, change, || format!("{known}, and counts for {counts_for}"))
}

/// One about the keys of an issuer.
pub(super) fn key_trouble(at: Box<str>, change: Change, issuer: &str) -> Alert {
    let alert = state(at, AlertKind::KeyTrouble, change, || {
        "its keys cannot be fetched; those known before go on to count".to_owned()
    });
    Alert { issuer: Some(text(issuer)), ..alert }
}

fn state(at: Box<str>, kind: AlertKind, change: Change, trouble: impl FnOnce() -> String) -> Alert {
    let (over, detail) = match change {
        Change::Begins(since) => (false, format!("{} (since {})", trouble(), since.rfc3339())),
        Change::Over(lasted) => (
            true,
            format!("over, after {}", format_duration(Duration::from_secs(lasted.as_secs()))),
        ),
    };
    Alert { over: Some(over), detail: Some(text(&detail)), ..Alert::new(kind, at) }
}

fn text(text: &str) -> Box<str> {
    cut(text, MAX_ALERT_TEXT_BYTES).into()
}

/// What a client sent; nothing if that is empty. What is not UTF-8 becomes U+FFFD.
fn some(bytes: &[u8], limit: usize) -> Option<Box<str>> {
    // A character that is cut in two here begins behind the limit.
    let beginning = bytes.get(..limit.saturating_add(3)).unwrap_or(bytes);
    let text = String::from_utf8_lossy(beginning);
    (!text.is_empty()).then(|| cut(&text, limit).into())
}
