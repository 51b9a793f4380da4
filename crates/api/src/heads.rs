//! How far audit chains are: `POST /v1/audit/heads`, by proxies, and `GET /v1/audit/heads`, for auditors.

use std::collections::BTreeMap;

use breakglass_types::heads::schemas;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;
use crate::{Instant, Word, nullable};

/// What a proxy says.
pub type HeadReport = breakglass_types::heads::HeadsReport<String, Vec<NewHead>>;

/// How far one chain is.
pub type NewHead = breakglass_types::heads::Head<i64>;

/// What was kept of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeadsReported {
    /// Heads that are kept now, repeated ones included.
    pub accepted: u64,
    /// How many of them contradict an earlier one, or are of another proxy's chain.
    pub conflicts: u64,
}

/// A page of heads, in the order of their arrival. `H` is a head: who only counts them need not read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<H> {
    /// When this was read: all that was reported until then is on this page and the next ones.
    pub as_of: Instant,
    /// The heads.
    pub heads: Vec<H>,
    /// The next `after`; null where this is the last page.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub next: Option<i64>,
    /// Of what was reported before this full hour, one head an hour is kept; null where none were thinned.
    #[schema(required = true)]
    pub thinned_before: Option<Instant>,
    /// What was reported before this is not kept, but for the last head of a chain that is still reported: that there
    /// is no head of a chain says nothing then.
    #[schema(required = true)]
    pub removed_before: Option<Instant>,
}

/// A page of heads, as the service writes it.
pub type Heads = Page<Head>;

words! {
    /// What a head contradicted when it came.
    Conflict {
        /// An earlier head of the same number has another hash.
        OtherHash = "other_hash",
        /// It is behind an earlier head.
        GoesBack = "goes_back",
        /// An earlier head said that no record would follow.
        AfterEnd = "after_end",
        /// Another node or another proxy has reported the chain.
        OtherNode = "other_node",
        /// An earlier head of the chain named another configuration.
        OtherConfiguration = "other_configuration",
    }
}

words! {
    /// How it is known that a proxy may speak for a chain.
    Proof {
        /// The chain's id was made with this proxy's credential.
        Proven = "proven",
        /// Nothing proves whose chain it is, and this proxy was the first to report it.
        FirstReport = "first_report",
        /// The chain is another proxy's.
        Disputed = "disputed",
    }
}

/// A head that was reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// When it was first reported.
    pub reported_at: Instant,
    /// When it was last reported. Kept for the highest head of each chain, credential and node; of the others it is
    /// `reported_at`.
    pub seen_at: Instant,
    /// The name of the credential that reported it.
    pub proxy: String,
    /// What that proxy calls itself.
    pub node: String,
    /// The id of the Envoy process, where the filter says it.
    #[schema(required = true, pattern = "^[0-9a-f]{32}$")]
    pub process: Option<String>,
    /// The chain.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub chain: String,
    /// The number of the chain's last record.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// That record's hash.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub hash: String,
    /// When the chain began, by the proxy's clock, as the proxy wrote it.
    #[schema(value_type = Instant)]
    pub began: String,
    /// No record will follow.
    pub ended: bool,
    /// The digest of the configuration under which the chain is written: the one that this head named, else the first
    /// that its reporter named for the chain. Absent where it named none, as older filters do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{64}$")]
    pub configuration: Option<String>,
    /// How many records each grant has in the chain so far, where that has changed.
    #[schema(schema_with = schemas::counts)]
    pub grants: BTreeMap<String, i64>,
    /// What it contradicted when it came: an earlier head of the same owner, or, `other_node`, another node or another
    /// proxy.
    #[schema(required = true, value_type = Option<Conflict>)]
    pub conflict: Option<Word<Conflict>>,
    /// Whether the reporter may speak for the chain.
    #[schema(value_type = Proof)]
    pub proof: Word<Proof>,
    /// The proxy whose chain it is, where that is another one than `proxy`.
    #[schema(required = true)]
    pub owner: Option<String>,
}

/// Which heads: `GET /v1/audit/heads`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HeadsQuery {
    /// `next` of the page before.
    #[serde(default)]
    #[param(required = false)]
    pub after: i64,
    /// Reported then or later; and before these, for each chain, credential and node, the highest head from before,
    /// whose `grants` has the highest count of every grant until then. A head with more than 10000 grants is there in
    /// several parts, each with other grants. Before `thinned_before` it must be a full hour.
    #[param(format = DateTime)]
    pub since: Option<String>,
    /// Only those of this chain.
    pub chain: Option<String>,
    /// Only those of this node.
    pub node: Option<String>,
}
