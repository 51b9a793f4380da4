//! A head that was reported, as it is listed.

use std::collections::BTreeMap;

/// What a head takes in JSON beside its texts.
const HEAD_BYTES: usize = 512;

/// A reported head.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ReportedHead {
    /// Its place in the order of arrival.
    pub id: i64,
    /// When it came, in milliseconds.
    pub reported_at_ms: i64,
    /// When it was last reported, in milliseconds.
    pub seen_at_ms: i64,
    /// Whose credential reported it.
    pub proxy: String,
    /// What the proxy calls itself.
    pub node: String,
    /// The id of its Envoy process, where the filter said it.
    pub process: Option<String>,
    /// The chain.
    pub chain: String,
    /// The number of the chain's last record.
    pub seq: i64,
    /// That record's hash.
    pub hash: String,
    /// When the chain began, by the proxy's clock.
    pub began: String,
    /// Whether no record will follow.
    pub ended: bool,
    /// How many records each grant has in the chain so far, where that had changed.
    #[sqlx(json)]
    pub grants: BTreeMap<String, i64>,
    /// What its number, hash or node contradicts: `other_hash`, `goes_back`, `after_end`, `other_node`. See
    /// [`ReportedHead::conflict`].
    pub conflict: Option<String>,
    /// The digest of the configuration under which the chain is written: the one that this head names, else the first
    /// that its reporter named for the chain. Older filters name none.
    pub configuration: Option<String>,
    /// Whether it names another configuration than its reporter named for the chain before.
    pub other_configuration: bool,
    /// The name of the proxy whose chain it is.
    pub owner: String,
    /// Whether the chain's id proves the owner.
    pub proven: bool,
}

/// How it is known that the reporter may speak for the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof<'a> {
    /// The chain's id was made with the reporter's credential.
    Proven,
    /// Nothing proves whose chain it is, and this reporter was the first.
    FirstReport,
    /// The chain is this other proxy's.
    Disputed(&'a str),
}

impl ReportedHead {
    /// What it contradicts, in one word, the worst first: `other_node`, `other_hash`, `other_configuration`,
    /// `after_end`, `goes_back`.
    #[must_use]
    pub fn conflict(&self) -> Option<&str> {
        match self.conflict.as_deref() {
            Some(worse @ ("other_node" | "other_hash")) => Some(worse),
            _ if self.other_configuration => Some("other_configuration"),
            other => other,
        }
    }

    /// How it is known that the reporter may speak for the chain.
    #[must_use]
    pub fn proof(&self) -> Proof<'_> {
        match (self.owner == self.proxy, self.proven) {
            (false, _) => Proof::Disputed(&self.owner),
            (true, true) => Proof::Proven,
            (true, false) => Proof::FirstReport,
        }
    }

    /// About its size as JSON.
    pub(super) fn bytes(&self) -> usize {
        // A quote or a backslash takes two bytes; names and ids have no character that takes more.
        let escaped = |text: &String| {
            text.len().saturating_add(text.bytes().filter(|byte| b"\"\\".contains(byte)).count())
        };
        let texts = [&self.proxy, &self.node, &self.began, &self.owner].into_iter().map(escaped);
        let grants = self.grants.iter().map(|(grant, count)| {
            // `"grant":count,`
            let digits = count.checked_ilog10().unwrap_or_default() as usize;
            escaped(grant).saturating_add(digits).saturating_add(5)
        });
        // `"configuration":"",` and its digits.
        let configuration =
            self.configuration.as_ref().map(|digest| digest.len().saturating_add(19));
        texts.chain(grants).chain(configuration).fold(HEAD_BYTES, usize::saturating_add)
    }
}
