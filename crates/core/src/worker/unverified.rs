//! What was let through although nobody could vouch for its grant (`permit_unverified`): it ends when
//! `on_unavailable: allow` no longer counts, unless something is known by then.

use crate::calls::StreamId;
use crate::instant::Instant;
use crate::reason::{AllowReason, DenyReason};
use crate::step::Step;
use crate::token::VerifiedToken;

use super::{Stream, Worker};

impl Worker {
    /// When a request that is let through for this reason is to end, and why.
    pub(super) fn end_of(
        &self,
        reason: &'static str,
        token: &VerifiedToken,
    ) -> (Instant, DenyReason) {
        let void_at = token.void_at(self.config.clock_skew);
        let revocation = &self.config.revocation;
        // Where nobody can be asked there is no knowledge to grow old.
        let asks = revocation.feed.is_some() || revocation.introspection.is_some();
        if !asks || reason != AllowReason::PermitUnverified.code() {
            return (void_at, DenyReason::TokenExpired);
        }
        let until = self.knowledge.last(token.issuer()).after(revocation.unavailable_for);
        if until < void_at {
            (until, DenyReason::RevocationUnknown)
        } else {
            (void_at, DenyReason::TokenExpired)
        }
    }

    /// The time is over that was known when a request was let through unverified: it ends, or goes on by what is
    /// known now.
    pub(super) fn end_unverified(&mut self, stream: StreamId, now: Instant) -> Option<Step> {
        let Stream::Decided(running) = self.streams.get(&stream)? else { return None };
        let token = running.decided.ruled.token.as_ref()?;
        // What is revoked was cut when that became known.
        let is_known = self
            .revocations
            .age(now)
            .is_some_and(|age| age <= self.config.revocation.max_staleness);
        let (end, reason) = if is_known {
            (token.void_at(self.config.clock_skew), DenyReason::TokenExpired)
        } else {
            self.end_of(AllowReason::PermitUnverified.code(), token)
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
