//! The records of one chain that no head vouches for: they come after the last one, or there is none.

use super::digest::ChainId;
use super::finding::{Finding, Findings, Kind, Place};
use super::heads::Head;
use crate::moment::{Moment, rfc3339};

/// The records that no head vouches for.
#[derive(Debug)]
pub struct Unvouched {
    chain: ChainId,
    /// There was time to report these.
    old: Option<Old>,
    /// These are too young: how many, and where the first is.
    young: Option<(u64, Place)>,
    /// Some are from a time of which no heads are kept.
    removed: Option<Moment>,
}

/// Records that there was time to report.
#[derive(Debug, Clone, Copy)]
struct Old {
    count: u64,
    first: u64,
    last: u64,
    /// Where the first is that was read.
    place: Place,
}

impl Unvouched {
    /// None yet.
    #[must_use]
    pub fn new(chain: ChainId) -> Unvouched {
        Unvouched { chain, old: None, young: None, removed: None }
    }

    /// A record that no head reaches. `is_old`: there was time to report it before the heads were read.
    pub fn add(&mut self, seq: u64, place: Place, is_old: bool) {
        if is_old {
            let old = self.old.get_or_insert(Old { count: 0, first: seq, last: seq, place });
            old.count = old.count.saturating_add(1);
            old.first = old.first.min(seq);
            old.last = old.last.max(seq);
        } else {
            let (count, _) = self.young.get_or_insert((0, place));
            *count = count.saturating_add(1);
        }
    }

    /// One of them is from before `removed`: what was reported then is not kept.
    pub fn forgotten(&mut self, removed: Moment) {
        self.removed = Some(removed);
    }

    /// Says what there is, of a chain that was reported or not; `last` is where its last record is.
    pub fn tell(&self, head: Option<&Head>, last: Place, findings: &mut Findings) {
        match (self.old, head) {
            (Some(old), Some(head)) => {
                let detail = format!(
                    "{} records come after record {}, the last one that was reported, at {}; they were to be \
                     reported within seconds",
                    old.count,
                    head.last(),
                    head.seen(),
                );
                let found = Finding::at(Kind::Unvouched, old.place, detail);
                findings.add(found.of(self.chain, old.first, old.last));
            }
            (Some(_), None) if self.removed.is_some() => {
                let removed = self.removed.map_or(0, Moment::seconds);
                let detail = format!(
                    "the service keeps nothing that was reported before {}: whether a proxy reported it, and where \
                     it ends, is not known",
                    rfc3339(removed),
                );
                let found = Finding::at(Kind::EndUnknown, last, detail);
                findings.add(Finding { chain: Some(self.chain), ..found });
            }
            (Some(_), None) => {
                let found = Finding::at(Kind::UnreportedChain, last, "no proxy reported it");
                findings.add(Finding { chain: Some(self.chain), ..found });
            }
            (None, _) => {}
        }
        if let Some((count, place)) = self.young {
            let detail = format!("{count} records are younger than the heads");
            let found = Finding::at(Kind::NotYetReported, place, detail);
            findings.add_times(Finding { chain: Some(self.chain), ..found }, count);
        }
    }
}
