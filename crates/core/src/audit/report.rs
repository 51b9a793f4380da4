//! What the approval service is told of chains: their heads.

use breakglass_types::heads::{self, HeadsReport};

/// How far one chain is.
pub(crate) type Head = heads::Head<u64>;

/// The report of these heads.
pub(crate) fn report(node: Option<&str>, process: Option<&str>, heads: &[Head]) -> Option<String> {
    serde_json::to_string(&HeadsReport { node: node.unwrap_or_default(), process, heads }).ok()
}
