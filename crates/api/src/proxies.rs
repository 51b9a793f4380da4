//! Who reads the feed: `GET /v1/proxies` and `POST /v1/proxies/{id}/forget`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words::words;
use crate::{Instant, Word, nullable, schemas};

words! {
    /// What a proxy does with a request whose grant it cannot verify.
    OnUnavailable {
        /// It refuses it, whatever the scope.
        Deny = "deny",
        /// It may let it pass.
        Allow = "allow",
    }
}

words! {
    /// Whether a filter refuses anything.
    Enforcement {
        /// It decides and refuses.
        Enforce = "enforce",
        /// It decides, and refuses nothing.
        Shadow = "shadow",
    }
}

/// Who reads the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proxies {
    /// The latest epoch.
    pub epoch: i64,
    /// Since when this process knows proxies; those that asked only before are not listed.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub since: Option<Instant>,
    /// Whether that is longer ago than a poll takes: every proxy that reads the feed is listed.
    pub complete: bool,
    /// The proxies.
    pub proxies: Vec<Node>,
}

/// A proxy. What is not required is not said by older filters, or by older services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// What names it: the id of its process, or one that is made of credential, node and address.
    #[schema(nullable = false)]
    pub id: Option<String>,
    /// What it calls itself.
    pub node: String,
    /// The name of its credential.
    pub proxy: String,
    /// What it has acknowledged, by asking for what comes after; 0 for nothing.
    pub epoch: i64,
    /// When it was last seen: now, while it waits for news.
    pub last_seen: Instant,
    /// How many seconds ago that was.
    pub stale_for_s: i64,
    /// The id of the Envoy process. Proxies are counted by it; null for an older filter, and for one without a
    /// credential.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub process: Option<String>,
    /// Where its connection came from: the nearest peer, which may be a balancer.
    pub address: Option<String>,
    /// The filter's version.
    pub version: Option<String>,
    /// The digest of the filter's configuration.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub config: Option<String>,
    /// Whether it waits for news, or was seen so lately that it may go on by what it knows.
    #[schema(nullable = false)]
    pub alive: Option<bool>,
    /// For how long it believes what the feed said, in seconds, rounded up.
    pub max_staleness_s: Option<i64>,
    /// How long after its end it takes a token, in seconds; 60, the most that can be, where it does not say.
    #[schema(nullable = false)]
    pub clock_skew_s: Option<i64>,
    /// What it does with a request whose grant cannot be verified: the weakest that this process has said.
    #[schema(value_type = Option<OnUnavailable>)]
    pub on_unavailable: Option<Word<OnUnavailable>>,
    /// Since when it refuses every new request by itself, because it has neither polled nor introspected for longer
    /// than it believes what it knows, or lets pass what it cannot verify. Null where it is alive, or says `allow` and
    /// not for how long (`unavailable_for`).
    pub refuses_new_since: Option<Instant>,
    /// Where it is silent: until when streams may run there under grants whose revocation it has not heard of.
    pub streams_until: Option<Instant>,
    /// How often it fetches this service's signing keys, in seconds, rounded up.
    pub keys_refresh_s: Option<i64>,
    /// Which of the published signing keys it does not have; null where it does not say.
    pub missing_keys: Option<Vec<String>>,
    /// Another live proxy has the same node name.
    #[serde(default)]
    pub same_node: bool,
    /// Only there where its configuration refuses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, schema_with = schemas::only_shadow)]
    pub enforcement: Option<Word<Enforcement>>,
}

/// A proxy that is said to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forgotten {
    /// Its id.
    pub id: String,
    /// What was known under this id.
    #[schema(min_items = 1)]
    pub forgotten: Vec<Gone>,
    /// Who said so.
    pub by: String,
    /// When.
    #[schema(required = true, nullable = false)]
    pub at: Option<Instant>,
    /// How it is known.
    #[serde(default)]
    #[schema(required = true)]
    pub reason: String,
}

/// What was known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gone {
    /// What it called itself.
    pub node: String,
    /// The name of its credential.
    pub proxy: String,
    /// When it was last seen.
    pub last_seen: Instant,
}

/// What a proxy's configuration defines was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationTaken {
    /// The digest of the configuration.
    pub configuration: String,
}
