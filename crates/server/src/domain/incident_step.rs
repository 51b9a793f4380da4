//! What follows from one more check of the incident of a request that goes on. Pure.
//!
//! 1. Silence changes nothing: what was answered last counts on.
//! 2. The first answer about a request that went on without one decides: if it is not good, a grant ends at once.
//! 3. With `until_closed`, a grant ends `grace` after the first answer that the incident is closed or unknown, unless one in
//!    between said that it is open. That it is another's by now ends nothing.

use breakglass_api::Reason;

use crate::clock::Moment;
use crate::config::IncidentCheck;
use crate::incidents::{Checked, Verdict};
use crate::limits::INCIDENT_RECHECK_S;
use crate::store::IncidentCheckRow;

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// What is known now.
    pub(super) row: IncidentCheckRow,
    /// Whether the answer is another one than before.
    pub(super) is_news: bool,
    /// Why the grant ends, if it does.
    pub(super) ends: Option<Reason>,
}

/// What follows from `said`, which is nothing where the system was silent. `holds`: whether the request has a grant that holds.
pub(super) fn step(
    check: &IncidentCheck,
    before: &IncidentCheckRow,
    said: Option<&Checked>,
    now: Moment,
    holds: bool,
) -> Step {
    let mut row = match said {
        None => before.clone(),
        Some(said) => {
            let row = IncidentCheckRow::answered(now, said, None);
            let closed_at_ms = row.closed_at_ms.map(|at| before.closed_at_ms.unwrap_or(at));
            IncidentCheckRow { closed_at_ms, ..row }
        }
    };
    let grace_ends = row.closed_at_ms.filter(|_| check.until_closed);
    let grace_ends = grace_ends.map(|at| at.div_euclid(1000).saturating_add(check.grace));
    let was_owed = before.is_owed();
    let ends = match said.map(|said| said.verdict) {
        Some(verdict) if was_owed => reason(verdict),
        _ => grace_ends.filter(|at| *at <= now.seconds()).map(|_| Reason::IncidentClosed),
    };
    let ends = ends.filter(|_| holds);
    let again = now.seconds().saturating_add(INCIDENT_RECHECK_S);
    let goes_on = ends.is_none() && (row.is_owed() || check.until_closed);
    row.next_at = goes_on.then(|| match grace_ends.filter(|at| *at > now.seconds()) {
        Some(at) => again.min(at),
        None => again,
    });
    Step { is_news: row.verdict != before.verdict, ends, row }
}

/// The word for an answer that is not good.
pub(super) const fn reason(verdict: Verdict) -> Option<Reason> {
    match verdict {
        Verdict::Open => None,
        Verdict::Closed => Some(Reason::IncidentClosed),
        Verdict::Unknown => Some(Reason::IncidentUnknown),
        Verdict::NotYours => Some(Reason::IncidentNotYours),
    }
}
