//! What is known of one record, once the whole log was judged.

use std::collections::{HashMap, HashSet};

use super::digest::ChainId;
use super::finding::{Class, Kind, Place};
use super::heads::Proof;
use super::verdict::Verdict;

/// The places of the records that something speaks against, and the chains of which everything is in order.
pub struct Proofs<'v> {
    verdict: &'v Verdict,
    refuted: HashMap<Place, Kind>,
    tainted: HashSet<ChainId>,
    /// Something was found that is not listed: it could be about any chain.
    all_tainted: bool,
}

/// A record, as far as its place in the log goes.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Where it is.
    pub place: Place,
    /// Its chain.
    pub chain: ChainId,
    /// Its number; nothing where it has no seal.
    pub seq: Option<u64>,
    /// Whether its hash is that of its text.
    pub intact: bool,
}

/// The word for a record that its chain and a head vouch for, which its own proxy reported.
pub const PROVEN: &str = "proven";

/// The word for a record that its chain and a head vouch for, of which it is only known that it was the first
/// to be reported.
pub const FIRST_REPORT: &str = "first_report";

/// The word for a record whose hash is that of its text, and for which no head vouches.
pub const SEALED: &str = "sealed";

/// The word for a record without a seal: write access to the log is enough to make one.
pub const UNPROVEN: &str = "unproven";

impl<'v> Proofs<'v> {
    /// What this verdict knows.
    #[must_use]
    pub fn new(verdict: &'v Verdict) -> Proofs<'v> {
        let found = verdict.findings.of(Class::Integrity);
        let refuted = found.iter().filter_map(|found| Some((found.place?, found.kind)));
        let tainted = found.iter().filter(|found| is_about_links(found.kind));
        let counted: u64 = verdict.findings.counts(Class::Integrity).values().sum();
        Proofs {
            verdict,
            refuted: refuted.collect(),
            tainted: tainted.filter_map(|found| found.chain).collect(),
            all_tainted: u64::try_from(found.len()).is_ok_and(|listed| listed < counted),
        }
    }

    /// The word for a record: [`PROVEN`], [`FIRST_REPORT`], [`SEALED`], [`UNPROVEN`], or that of the finding
    /// about it.
    #[must_use]
    pub fn word(&self, of: Candidate) -> &'static str {
        if let Some(kind) = self.refuted.get(&of.place) {
            return kind.word();
        }
        let Some(seq) = of.seq else { return UNPROVEN };
        if !of.intact {
            return Kind::Changed.word();
        }
        let in_order = !self.all_tainted && !self.tainted.contains(&of.chain);
        let chain = self.verdict.chain(of.chain).filter(|chain| in_order && chain.vouches_for(seq));
        match chain.and_then(|chain| chain.head.as_ref()).map(|head| head.proof) {
            Some(Proof::Proven) => PROVEN,
            Some(Proof::FirstReport) => FIRST_REPORT,
            Some(Proof::Disputed) | None => SEALED,
        }
    }
}

/// Whether such a finding puts the records beside it in doubt: they are proven through their links. A
/// record that was changed is a hole, which no proof goes through.
fn is_about_links(kind: Kind) -> bool {
    matches!(kind, Kind::Forged | Kind::BrokenLink | Kind::NotAsReported | Kind::AfterEnd)
}
