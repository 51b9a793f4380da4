//! What the approval service is told of chains: their heads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How far one chain is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The chain's id.
    pub(crate) chain: String,
    /// The number of its last record.
    pub(crate) seq: u64,
    /// That record's hash.
    pub(crate) hash: String,
    /// When the chain began, RFC 3339.
    pub(crate) began: String,
    /// Whether no record will follow.
    pub(crate) ended: bool,
    /// The grants with records since the last report, with the number of all their records.
    pub(crate) grants: BTreeMap<String, u64>,
}

/// A report: the body of a call.
#[derive(Serialize)]
struct Report<'a> {
    /// Envoy's node id.
    node: &'a str,
    /// The Envoy process.
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a str>,
    heads: &'a [Head],
}

/// The report of these heads.
pub(crate) fn report(node: Option<&str>, process: Option<&str>, heads: &[Head]) -> Option<String> {
    serde_json::to_string(&Report { node: node.unwrap_or_default(), process, heads }).ok()
}
