//! `revocation`: how a grant that ended early becomes known.

use std::fmt;
use std::time::Duration;

use crate::json::Json;

use super::{Fields, Place, duration, one_of, parsed, positive_duration, text, timeout};

/// How long one introspection may take, unless the configuration says otherwise: a request waits.
pub(crate) const DEFAULT_INTROSPECTION_TIMEOUT: Duration = Duration::from_millis(500);

/// How long an answer counts, unless the configuration says otherwise: it is how late a revocation
/// can be noticed by this route.
pub(crate) const DEFAULT_INTROSPECTION_CACHE: Duration = Duration::from_secs(5);

/// How old the feed's knowledge may be, unless the configuration says otherwise.
pub(crate) const DEFAULT_MAX_STALENESS: Duration = Duration::from_secs(10);

/// How long one poll of the feed hangs, unless the configuration says otherwise: below the 30 s
/// after which many proxies end an idle exchange.
pub(crate) const DEFAULT_FEED_WAIT: Duration = Duration::from_secs(25);

/// How a grant that ended early becomes known.
#[derive(Debug)]
pub struct Revocation {
    /// The feed of revocations.
    pub feed: Option<Feed>,
    /// Asking about one token (RFC 7662).
    pub introspection: Option<Introspection>,
    /// The bearer credential of this proxy for both, and for the heads of the audit chains.
    pub credential: Option<Credential>,
    /// How old the feed's knowledge may be before it no longer counts.
    pub max_staleness: Duration,
    /// What happens when nobody can say.
    pub on_unavailable: OnUnavailable,
}

/// What happens to a request whose grant nobody can vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// It is refused.
    Deny,
    /// It passes; the audit record and a counter say so.
    Allow,
}

/// A path on an Envoy cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The Envoy cluster.
    pub cluster: String,
    /// The `:authority` of the call.
    pub authority: String,
    /// The `:path` of the call.
    pub path: String,
}

/// The feed of revocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How long one poll hangs.
    pub wait: Duration,
}

/// Asking about one token (RFC 7662).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection {
    /// Where to ask.
    pub endpoint: Endpoint,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long an answer counts.
    pub cache: Duration,
}

/// A secret that never reaches a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// The secret itself, for the header that carries it.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(..)")
    }
}

/// Reads `on_unavailable`.
pub(crate) fn on_unavailable(json: &Json, place: &Place<'_>) -> Option<OnUnavailable> {
    one_of(&[("deny", OnUnavailable::Deny), ("allow", OnUnavailable::Allow)])(json, place)
}

pub(super) fn read<'a>(
    json: &'a Json,
    place: &Place<'a>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Revocation> {
    let mut fields = Fields::open(json, place)?;
    let feed = fields.optional("feed", read_feed);
    let introspection = fields.optional("introspection", read_introspection);
    let credential =
        fields.optional("credential", |json, place| read_credential(json, place, environment));
    let max_staleness = fields.or("max_staleness", DEFAULT_MAX_STALENESS, positive_duration);
    let unavailable = fields.or("on_unavailable", OnUnavailable::Deny, on_unavailable);
    fields.close()?;
    let revocation = Revocation {
        feed: feed?,
        introspection: introspection?,
        credential: credential?,
        max_staleness: max_staleness?,
        on_unavailable: unavailable?,
    };
    if revocation.feed.is_none()
        && revocation.introspection.is_none()
        && revocation.on_unavailable == OnUnavailable::Deny
    {
        return place.error(
            "expected `introspection` or `feed`: without either, no grant can be vouched for and \
             every token is refused; to run without revocation on purpose, say `on_unavailable: allow`",
        );
    }
    Some(revocation)
}

fn read_feed<'a>(json: &'a Json, place: &Place<'a>) -> Option<Feed> {
    let mut fields = Fields::open(json, place)?;
    let endpoint = read_endpoint(&mut fields);
    let wait = fields.or("wait", DEFAULT_FEED_WAIT, positive_duration);
    fields.close()?;
    Some(Feed { endpoint: endpoint?, wait: wait? })
}

fn read_introspection<'a>(json: &'a Json, place: &Place<'a>) -> Option<Introspection> {
    let mut fields = Fields::open(json, place)?;
    let endpoint = read_endpoint(&mut fields);
    let timeout = fields.or("timeout", DEFAULT_INTROSPECTION_TIMEOUT, timeout);
    let cache = fields.or("cache", DEFAULT_INTROSPECTION_CACHE, duration);
    fields.close()?;
    Some(Introspection { endpoint: endpoint?, timeout: timeout?, cache: cache? })
}

pub(super) fn read_endpoint(fields: &mut Fields<'_>) -> Option<Endpoint> {
    let cluster = fields.required("cluster", parsed(cluster_name));
    let authority = fields.required("authority", parsed(header_value));
    let path = fields.required("path", parsed(http_path));
    Some(Endpoint { cluster: cluster?, authority: authority?, path: path? })
}

fn read_credential<'a>(
    json: &'a Json,
    place: &Place<'a>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Credential> {
    let mut fields = Fields::open(json, place)?;
    let name = fields.required("env", text);
    fields.close()?;
    let name = name?;
    match environment(&name) {
        Some(secret)
            if !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Some(Credential(secret))
        }
        Some(_) => place.field("env").error(format!(
            "the environment variable `{name}` must hold a token of visible ASCII characters"
        )),
        None => place.field("env").error(format!(
            "the environment variable `{name}` is not set in the VM; list it under \
             vm_config.environment_variables.host_env_keys and set it for Envoy"
        )),
    }
}

/// The name of an Envoy cluster.
pub(super) fn cluster_name(text: &str) -> Result<String, String> {
    header_value(text)
}

/// Visible ASCII, so that it can be a header value.
pub(super) fn header_value(text: &str) -> Result<String, String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("expected visible ASCII characters without spaces".to_owned())
    }
}

/// A request target that begins with a slash.
pub(super) fn http_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { header_value(text) } else { Err("must begin with `/`".to_owned()) }
}
