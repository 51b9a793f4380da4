//! What was let through although neither feed nor introspection confirmed its grant (`permit_unverified`): it ends when
//! `on_unavailable: allow` no longer counts, unless something is known by then.

use crate::audit::Ruled;
use crate::calls::StreamId;
use crate::config::OnUnavailable;
use crate::instant::Instant;
use crate::reason::{AllowReason, DenyReason, Reason};
use crate::step::Step;

use super::{Past, Worker};

impl Worker {
    /// When a request that was let through unverified is to end unless something is known by then; `None` if it was
    /// not. A configuration that has come meanwhile can make that sooner: where it says `deny`, it is at once.
    pub(super) fn unverified_end(
        &self,
        ruled: &Ruled,
        past: &Past,
    ) -> Option<(Instant, DenyReason)> {
        let revocation = &self.config.revocation;
        // Without feed and introspection there is no knowledge to grow old.
        let asks = revocation.feed.is_some() || revocation.introspection.is_some();
        if !asks || ruled.reason != Reason::Allowed(AllowReason::PermitUnverified) {
            return None;
        }
        let (token, permitted) = (ruled.token.as_ref()?, past.permitted?);
        let last = self.learner.last_known(token.issuer());
        let own = last.after(revocation.unavailable_for);
        let next = self.next_scope(past).zip(self.enforcing()).map(|(scope, next)| {
            match scope.on_unavailable.unwrap_or(next.revocation.on_unavailable) {
                OnUnavailable::Allow => last.after(next.revocation.unavailable_for),
                OnUnavailable::Deny => permitted,
            }
        });
        Some((next.map_or(own, |next| next.min(own)), DenyReason::RevocationUnknown))
    }

    /// The time is over that was known when a request was let through unverified: it ends, or goes on by what is
    /// known now.
    pub(super) fn end_unverified(&mut self, stream: StreamId, now: Instant) -> Option<Step> {
        let running = self.streams.running(stream)?;
        let (ruled, past) = (&running.decided.ruled, &running.past);
        // What is revoked was cut when that became known.
        let is_known = self.learner.is_fresh(now);
        let (end, reason) =
            if is_known { self.firm_end(ruled, past)? } else { self.end_of(ruled, past)? };
        if end <= now {
            return self.cut(stream, reason, now);
        }
        self.streams.end_at(stream, (end, reason));
        None
    }
}
