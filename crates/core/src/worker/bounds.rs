//! What bounds a permit besides its token: how long its stream may run, and where its answer may lead. A configuration
//! that has come meanwhile can only tighten it.

use crate::audit::Ruled;
use crate::calls::StreamId;
use crate::config::Config;
use crate::decision::Successor;
use crate::instant::Instant;
use crate::policy::{Redirects, Scope};
use crate::reason::DenyReason;

use super::{Past, Stream, Worker};

impl Worker {
    /// When a permitted request is to end as far as is known, and why.
    pub(super) fn end_of(&self, ruled: &Ruled, past: &Past) -> Option<(Instant, DenyReason)> {
        let firm = self.firm_end(ruled, past)?;
        let unverified = self.unverified_end(ruled, past);
        Some(unverified.filter(|(at, _)| *at < firm.0).unwrap_or(firm))
    }

    /// When a permitted request is to end whatever becomes known, and why.
    pub(super) fn firm_end(&self, ruled: &Ruled, past: &Past) -> Option<(Instant, DenyReason)> {
        let (token, permitted) = (ruled.token.as_ref()?, past.permitted?);
        let own = self.config.clock_skew;
        // Under both configurations, like everything that bounds what runs.
        let skew = self.enforcing().map_or(own, |next| next.clock_skew.min(own));
        let void = (token.void_at(skew), DenyReason::TokenExpired);
        let bounds = self.bounding(ruled, past).into_iter().flatten();
        let bounds = bounds.filter_map(|scope| scope.max_stream);
        let bounds = bounds.map(|longest| (permitted.after(longest), DenyReason::MaxStream));
        // Of two that end it at once the token is the one that nothing else can change.
        Some(bounds.min_by_key(|(at, _)| *at).filter(|(at, _)| *at < void.0).unwrap_or(void))
    }

    /// Whether the answer to a permitted request may lead to its own authority only.
    pub(super) fn keeps_authority(&self, ruled: &Ruled, past: &Past) -> bool {
        let mut bounding = self.bounding(ruled, past).into_iter().flatten();
        bounding.any(|scope| scope.redirects == Redirects::SameAuthority)
    }

    /// The configuration that has come in place of this worker's, unless it is in shadow mode.
    pub(super) fn enforcing(&self) -> Option<&Config> {
        self.successor.as_ref().and_then(Successor::enforcing)
    }

    /// The scopes that bound a permit: that of the decision, and the one that covers it in the configuration that
    /// has come in place of this worker's.
    fn bounding(&self, ruled: &Ruled, past: &Past) -> [Option<&Scope>; 2] {
        let own = ruled.scope.as_deref().and_then(|name| self.config.scopes.get(name));
        [own, self.next_scope(past)]
    }

    /// The scope by which that configuration covers it.
    pub(super) fn next_scope(&self, past: &Past) -> Option<&Scope> {
        self.enforcing()?.scopes.get(past.next_scope.as_deref()?)
    }

    /// Brings the ends of what runs forward to what the configuration that has come lets.
    pub(super) fn tighten(&mut self) {
        let sooner = |(stream, kept): (StreamId, &Stream)| {
            let Stream::Decided(running) = kept else { return None };
            let (end, _) = running.end?;
            let next = self.end_of(&running.decided.ruled, &running.past)?;
            (next.0 < end).then_some((stream, next))
        };
        let sooner: Vec<_> = self.streams.iter().filter_map(sooner).collect();
        for (stream, end) in sooner {
            self.streams.end_at(stream, end);
        }
    }
}
