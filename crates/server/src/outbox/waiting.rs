//! The request that an event is about, as the rules of approval read it.

use crate::needed::Waiting;
use crate::sinks::Notice;
use crate::sinks::notice::ToApprove;

/// The request, with the first of its approvals alone, so many.
pub(super) fn waiting(notice: &Notice, approvals: usize) -> Option<Waiting<'_>> {
    let asked = notice.asked.as_ref()?;
    let ToApprove { submitted_at, needs, approvals: rows } = &notice.to_approve;
    let approvals = rows.get(..approvals).unwrap_or(rows);
    let left = approvals.last().and_then(|last| last.scopes.as_ref());
    Some(Waiting {
        requester: &asked.requester,
        asked: &asked.scopes,
        scopes: left.unwrap_or(&asked.scopes),
        duration_s: asked.duration_s,
        emergency: asked.emergency,
        submitted_at: *submitted_at,
        fixed: needs.as_ref(),
        approvals,
    })
}
