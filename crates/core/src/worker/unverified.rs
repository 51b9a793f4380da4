//! What was let through although neither feed nor introspection confirmed its grant (`permit_unverified`): it ends when
//! `on_unavailable: allow` no longer counts, unless something is known by then.

use crate::calls::StreamId;
use crate::instant::Instant;
use crate::reason::{AllowReason, DenyReason};
use crate::step::Step;
use crate::token::VerifiedToken;

use super::{Stream, Worker};

impl Worker {
    /// When a request that is let through for this reason is to end unless something is known by then; `None` if
    /// it was not let through unverified.
    pub(super) fn unverified_end(
        &self,
        reason: &'static str,
        token: &VerifiedToken,
    ) -> Option<(Instant, DenyReason)> {
        let revocation = &self.config.revocation;
        // Without feed and introspection there is no knowledge to grow old.
        let asks = revocation.feed.is_some() || revocation.introspection.is_some();
        let until = || self.knowledge.last(token.issuer()).after(revocation.unavailable_for);
        (asks && reason == AllowReason::PermitUnverified.code())
            .then(|| (until(), DenyReason::RevocationUnknown))
    }

    /// The time is over that was known when a request was let through unverified: it ends, or goes on by what is
    /// known now.
    pub(super) fn end_unverified(&mut self, stream: StreamId, now: Instant) -> Option<Step> {
        let Stream::Decided(running) = self.streams.get(&stream)? else { return None };
        let ruled = &running.decided.ruled;
        let (token, permitted) = (ruled.token.as_ref()?, running.past.permitted?);
        // What is revoked was cut when that became known.
        let is_known = self
            .revocations
            .age(now)
            .is_some_and(|age| age <= self.config.revocation.max_staleness);
        let (end, reason) = if is_known {
            self.firm_end(ruled, token, permitted, now)
        } else {
            self.end_of(ruled, token, permitted, now)
        };
        if end <= now {
            return self.cut(stream, reason, now);
        }
        if let Some(Stream::Decided(running)) = self.streams.get_mut(&stream) {
            running.end = Some((end, reason));
            self.deadlines.insert((end, stream));
        }
        None
    }
}
