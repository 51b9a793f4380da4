//! Comparing what has become of a permitted request with what was judged: the route that was used, and where the
//! answer sends the client.
//!
//! By then the request has reached whatever is behind the route: what can still be done is to keep the answer from
//! the client, end what is left, and say so.

use crate::audit::{Decided, Decision, Ruled};
use crate::calls::StreamId;
use crate::config::Enforcement;
use crate::decision::Denial;
use crate::instant::Instant;
use crate::policy::Origin;
use crate::reason::{DenyReason, Reason};
use crate::request::Attributes;
use crate::step::Step;

use super::Worker;

impl Worker {
    /// The response to a request begins: informational ones (1xx) aside, the switch to another protocol among them.
    /// A permit whose scope names `routes` is cut if it was used on another one, and one whose scope says `redirects`
    /// if its answer leads elsewhere, before anything of the response reaches the client.
    pub fn response_begins(
        &mut self,
        stream: StreamId,
        attributes: &dyn Attributes,
        now: Instant,
    ) -> Option<Step> {
        // What was refused or cut has been answered: a second answer to a stream crashes Envoy.
        let running = self.streams.running(stream)?;
        running.end?;
        let denial = if self.is_astray(stream, attributes) {
            Denial::of(DenyReason::RouteChanged)
        } else {
            self.redirected(stream, attributes)?
        };
        if self.config.enforcement == Enforcement::Shadow {
            self.restate(stream, Decision::ShadowDeny, denial.reason);
            return None;
        }
        self.cut_because(stream, denial, now)
    }

    /// Why the answer to a permitted request may not reach the client: it leads elsewhere.
    fn redirected(&self, stream: StreamId, attributes: &dyn Attributes) -> Option<Denial> {
        let running = self.streams.running(stream)?;
        let ruled = &running.decided.ruled;
        if !self.keeps_authority(ruled, &running.past) {
            return None;
        }
        let Some(response) = attributes.response_headers() else {
            return Some(Denial::of(DenyReason::InternalError));
        };
        let origin = Origin::of(&ruled.facts.authority, &ruled.facts.headers);
        let elsewhere = origin.is_left_by(&response)?;
        let remedy = elsewhere.to.map(|to| {
            format!(
                "the answer leads to {to}, and the scope lets it lead to the same authority only (`redirects`): a \
                 client that follows could take the token along. The request may have been carried out: look \
                 before you repeat it, and go there without the token if you trust it"
            )
        });
        Some(Denial { remedy, ..Denial::of(DenyReason::RedirectElsewhere) })
    }

    /// A request is about to be logged. Its response may never have begun: what was used is compared now.
    pub fn log_begins(&mut self, stream: StreamId, attributes: &dyn Attributes) {
        let Some(running) = self.streams.running(stream) else { return };
        let decision = running.decided.ruled.decision;
        if !matches!(decision, Decision::Allow | Decision::Cut)
            || !self.is_astray(stream, attributes)
            // It was cut for another reason, which stays.
            || decision == Decision::Cut
            // What is named now is the route of the request that follows, which has no grant.
            || attributes.is_internal_redirect()
        {
            return;
        }
        self.restate(
            stream,
            match self.config.enforcement {
                Enforcement::Enforce => Decision::Cut,
                Enforcement::Shadow => Decision::ShadowDeny,
            },
            DenyReason::RouteChanged,
        );
    }

    /// Whether a permitted request was used on a route that the scope by which it was judged does not take; asked once.
    fn is_astray(&mut self, stream: StreamId, attributes: &dyn Attributes) -> bool {
        let Some(running) = self.streams.running_mut(stream) else { return false };
        let ruled = &mut running.decided.ruled;
        if ruled.facts.is_route_used_known() {
            return false;
        }
        ruled.facts.ask_route_used(attributes);
        let scope = ruled.scope.as_deref().and_then(|name| self.config.scopes.get(name));
        let Some(used) = ruled.facts.other_route() else { return false };
        scope.is_some_and(|scope| !scope.takes_route(used))
    }

    /// Counts and keeps for its records that a request which was permitted was not what was permitted.
    fn restate(&mut self, stream: StreamId, decision: Decision, reason: DenyReason) {
        let (config, reason) = (&self.config, Reason::Refused(reason));
        let running = self.streams.running(stream);
        let scope = running.and_then(|running| running.decided.ruled.scope.as_deref());
        self.recorder.count_decision(decision, reason, scope);
        self.streams.restate(stream, |decided| {
            Decided::new(Ruled { decision, reason, ..decided.ruled }, config)
        });
        self.alert_of_restated(stream);
    }
}
