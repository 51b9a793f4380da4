//! What bounds a permit besides its token: how long its stream may run, and where its answer may lead. A configuration
//! that has come meanwhile can only tighten it.

use crate::audit::Ruled;
use crate::calls::StreamId;
use crate::instant::Instant;
use crate::policy::{Redirects, Scope};
use crate::reason::DenyReason;
use crate::token::VerifiedToken;

use super::{Running, Stream, Worker};

impl Worker {
    /// When a permitted request is to end as far as is known, and why.
    pub(super) fn end_of(
        &self,
        ruled: &Ruled,
        token: &VerifiedToken,
        permitted: Instant,
        now: Instant,
    ) -> (Instant, DenyReason) {
        let firm = self.firm_end(ruled, token, permitted, now);
        let unverified = self.unverified_end(ruled.reason, token);
        unverified.filter(|(at, _)| *at < firm.0).unwrap_or(firm)
    }

    /// When a permitted request is to end whatever becomes known, and why.
    pub(super) fn firm_end(
        &self,
        ruled: &Ruled,
        token: &VerifiedToken,
        permitted: Instant,
        now: Instant,
    ) -> (Instant, DenyReason) {
        let void = (token.void_at(self.config.clock_skew), DenyReason::TokenExpired);
        let bounds = self.bounding(ruled, now).into_iter().flatten();
        let bounds = bounds.filter_map(|scope| scope.max_stream);
        let bounds = bounds.map(|longest| (permitted.after(longest), DenyReason::MaxStream));
        // Of two that end it at once the token is the one that nothing else can change.
        bounds.min_by_key(|(at, _)| *at).filter(|(at, _)| *at < void.0).unwrap_or(void)
    }

    /// Whether the answer to a permitted request may lead to its own authority only.
    pub(super) fn keeps_authority(&self, ruled: &Ruled, now: Instant) -> bool {
        let mut bounding = self.bounding(ruled, now).into_iter().flatten();
        bounding.any(|scope| scope.redirects == Redirects::SameAuthority)
    }

    /// The scopes that bound a permit: that of the decision, and the one that covers it in the configuration that
    /// has come in place of this worker's.
    fn bounding(&self, ruled: &Ruled, now: Instant) -> [Option<&Scope>; 2] {
        let own = ruled.scope.as_deref().and_then(|name| self.config.scopes.get(name));
        let next = self.successor.as_deref().zip(ruled.token.as_ref());
        let next = next.and_then(|(next, token)| self.covering(next, token, &ruled.facts, now));
        [own, next]
    }

    /// Brings the ends of what runs forward to what the configuration that has come lets.
    pub(super) fn tighten(&mut self, now: Instant) {
        let sooner = |(stream, kept): (&StreamId, &Stream)| {
            let Stream::Decided(running) = kept else { return None };
            let Running { decided, end, past, .. } = &**running;
            let (token, (end, _)) = (decided.ruled.token.as_ref()?, (*end)?);
            let next = self.end_of(&decided.ruled, token, past.permitted?, now);
            (next.0 < end).then_some((*stream, end, next))
        };
        let sooner: Vec<_> = self.streams.iter().filter_map(sooner).collect();
        for (stream, end, next) in sooner {
            if let Some(Stream::Decided(running)) = self.streams.get_mut(&stream) {
                running.end = Some(next);
                self.deadlines.remove(&(end, stream));
                self.deadlines.insert((next.0, stream));
            }
        }
    }
}
