//! The feed of revocations: `GET /v1/revocations`, which proxies read.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::proxies::OnUnavailable;

/// What came after an epoch.
pub type Feed = breakglass_types::feed::FeedAnswer<String>;

/// Where the caller stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    /// The epoch that the caller knows the feed up to; without it, the answer is everything.
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// The `tag` of the answer that `after` is from: should that epoch have another one, it was given again (a backup
    /// was restored, commits were lost), and the answer is everything. Older filters say none.
    pub tag: Option<String>,
    /// The `feed` of the answer that `after` is from: should the database be another one, the answer is everything.
    pub feed: Option<String>,
    /// How long to wait for news; at most 60s. Without it, not at all.
    #[param(example = "25s")]
    pub wait: Option<String>,
    /// Which node asks; without it, the name of the credential.
    #[serde(default)]
    #[param(required = false, max_length = 256)]
    pub node: String,
}

/// What a proxy says of itself in headers. What is missing or malformed counts as not said.
#[derive(Debug, Clone, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct ProxyHeaders {
    /// The id of the Envoy process. What is missing or malformed in these headers counts as not said.
    #[param(rename = "breakglass-process", pattern = "^[0-9a-f]{32}$")]
    pub process: Option<String>,
    /// The filter's version.
    #[param(rename = "breakglass-version", max_length = 64)]
    pub version: Option<String>,
    /// The digest of the filter's configuration: SHA-256 over its canonical JSON (RFC 8785).
    #[param(rename = "breakglass-config", pattern = "^[0-9a-f]{64}$")]
    pub config: Option<String>,
    /// For how long it believes what the feed said.
    #[param(rename = "breakglass-max-staleness", example = "10s")]
    pub max_staleness: Option<String>,
    /// For how long after it was given an answer about a token may count there: the timeout and the cache.
    #[param(rename = "breakglass-cache", example = "5500ms")]
    pub cache: Option<String>,
    /// How long after its end it takes a token.
    #[param(rename = "breakglass-clock-skew", example = "5s")]
    pub clock_skew: Option<String>,
    /// What it does with a request whose grant cannot be verified; `allow` if any scope says so, or it runs in shadow
    /// mode.
    #[param(rename = "breakglass-on-unavailable", inline, value_type = Option<OnUnavailable>)]
    pub on_unavailable: Option<String>,
}

/// What a proxy says of itself where it asks about a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct ProcessHeader {
    /// The id of the Envoy process: asking is a sign of life.
    #[param(rename = "breakglass-process", pattern = "^[0-9a-f]{32}$")]
    pub process: Option<String>,
}
