//! What several endpoints ask about a grant.

use crate::clock::Moment;
use crate::limits::MAX_CLOCK_STEP_S;
use crate::store::Request;

/// Whether the grant was approved by `now`: a clock that was wrong may have dated it later.
pub(super) fn has_begun(grant: &Request, now: Moment) -> bool {
    let begins = grant.approved_at.map(|at| at.saturating_sub(MAX_CLOCK_STEP_S));
    begins.is_some_and(|begins| begins <= now.seconds())
}
