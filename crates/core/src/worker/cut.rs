//! Ending what was allowed: when its grant is revoked, when a new configuration no longer covers it,
//! and when its token is void.

use std::rc::Rc;

use crate::audit::{Decision, Ruled};
use crate::calls::StreamId;
use crate::config::{Config, Enforcement};
use crate::decision::{Configuration, Denial, Moment, Request, Ruling, Successor, Token, evaluate};
use crate::instant::Instant;
use crate::policy::Scope;
use crate::reason::{DenyReason, Reason};
use crate::refusal::refuse;
use crate::step::Step;

use super::{Running, Stream, Worker};

impl Worker {
    /// Another configuration has come in place of this worker's: what that does not let through ends, and what
    /// waits or still comes under the old one must pass both.
    pub fn supersede(&mut self, successor: Rc<Config>, now: Instant) -> Vec<(StreamId, Step)> {
        let successor = Successor::new(successor);
        let mut denials = Vec::new();
        for (stream, running) in self.streams.all_running_mut() {
            let Running { decided, end: Some(_), past, .. } = running else { continue };
            let (Some(token), Some(permitted)) = (&decided.ruled.token, past.permitted) else {
                continue;
            };
            let evaluation = evaluate(
                Configuration { own: &self.config, successor: Some(&successor) },
                &Request { facts: &decided.ruled.facts, moment: Moment::Runs { permitted } },
                &Token::Verified(Rc::clone(token)),
                &mut self.learner.known(),
                now,
            );
            match evaluation.ruling {
                Ruling::RunsOn(next_scope) => past.next_scope = next_scope,
                // It runs on in shadow mode.
                Ruling::ShadowDeny(_) => past.next_scope = None,
                Ruling::Deny(denial) => denials.push((stream, denial)),
                // None of these is for a request that runs.
                Ruling::Pass
                | Ruling::StepAside
                | Ruling::Judge
                | Ruling::Allow(_)
                | Ruling::Ask(_) => {
                    denials.push((stream, Denial::of(DenyReason::InternalError)));
                }
            }
            self.traces.note(stream, &evaluation.trace);
        }
        self.successor = Some(successor);
        self.tighten();
        let condemn = |(stream, denial): (StreamId, Denial)| {
            self.denial_log.ended(&denial);
            Some((stream, self.condemn(stream, denial, now)?))
        };
        denials.into_iter().filter_map(condemn).collect()
    }

    /// Ends the requests under grants that are revoked, those that still wait among them.
    pub(super) fn cut_revoked(&mut self, now: Instant) -> Vec<(StreamId, Step)> {
        let (mut running, mut waiting) = (Vec::new(), Vec::new());
        for (id, stream) in self.streams.iter() {
            let token = match stream {
                Stream::Decided(running) => running.decided.ruled.token.clone(),
                Stream::Waiting(waiting) => match &waiting.token {
                    Token::Bytes(bytes) => self.learner.token(bytes, now),
                    Token::Verified(token) => Some(Rc::clone(token)),
                    Token::Nothing | Token::Refused(_) => None,
                },
            };
            if !token.is_some_and(|token| self.learner.is_revoked(&token.claims().jti)) {
                continue;
            }
            match stream {
                Stream::Decided(_) => running.push(id),
                Stream::Waiting(_) => waiting.push(id),
            }
        }
        let mut steps: Vec<_> = running
            .into_iter()
            .filter_map(|id| Some((id, self.condemn(id, Denial::of(DenyReason::Revoked), now)?)))
            .collect();
        for id in waiting {
            steps.extend(self.decide_again(id, now).map(|step| (id, step)));
        }
        steps
    }

    /// Decides once more about a request that waits.
    fn decide_again(&mut self, stream: StreamId, now: Instant) -> Option<Step> {
        let waiting = self.streams.take_waiting(stream)?;
        let certificate = waiting.certificate.clone();
        Some(self.decide(stream, *waiting, &|| certificate.clone(), now))
    }

    /// Ends the requests whose time is up.
    pub(super) fn cut_due(&mut self, now: Instant) -> Vec<(StreamId, Step)> {
        let mut steps = Vec::new();
        while let Some(stream) = self.streams.pop_due(now) {
            let step = match self.streams.get(stream) {
                Some(Stream::Decided(running)) => match running.end {
                    Some((_, DenyReason::RevocationUnknown)) => self.end_unverified(stream, now),
                    end => end.and_then(|(_, reason)| self.cut(stream, reason, now)),
                },
                // Its token is void now, which the decision says.
                Some(Stream::Waiting(_)) => self.decide_again(stream, now),
                None => None,
            };
            steps.extend(step.map(|step| (stream, step)));
        }
        steps
    }

    /// A request that was allowed must end: at once, or, if its scope lets it finish, when the time
    /// for that is over.
    fn condemn(&mut self, stream: StreamId, denial: Denial, now: Instant) -> Option<Step> {
        let reason = denial.reason;
        let running = self.streams.running_mut(stream)?;
        let (end, _) = running.end?;
        if reason == DenyReason::Revoked {
            running.past.until_revoked.get_or_insert(running.traffic.total());
        }
        let scope = running.decided.ruled.scope.as_ref();
        let drain = scope.and_then(|name| self.config.scopes.get(name)).and_then(Scope::drain);
        let Some(drain) = drain else { return self.cut_because(stream, denial, now) };
        let sooner = now.after(drain);
        if sooner < end {
            self.streams.end_at(stream, (sooner, reason));
        }
        None
    }

    /// Ends a request that was allowed; nothing if it was not, or was cut before: a second answer to
    /// a stream that has begun to answer crashes Envoy.
    ///
    /// INVARIANT (one-cut): a stream is cut at most once, because what is cut has no end to come.
    pub(super) fn cut(
        &mut self,
        stream: StreamId,
        reason: DenyReason,
        now: Instant,
    ) -> Option<Step> {
        self.cut_because(stream, Denial::of(reason), now)
    }

    /// The same, with more to say.
    pub(super) fn cut_because(
        &mut self,
        stream: StreamId,
        denial: Denial,
        now: Instant,
    ) -> Option<Step> {
        if self.config.enforcement == Enforcement::Shadow {
            return None;
        }
        let Running { decided, traffic, past, .. } = self.streams.take_permitted(stream)?;
        let ruled = decided.ruled;
        let token = ruled.token.clone();
        let reason = denial.reason;
        let refusal = refuse(&Denial { token, ..denial }, &ruled.facts, &self.config);
        // What ended the stream is known from the feed; anything else is known without it.
        let standing = match reason {
            DenyReason::Revoked => Some(self.learner.of_feed(now)),
            _ => ruled.standing,
        };
        let ruled =
            Ruled { decision: Decision::Cut, reason: Reason::Refused(reason), standing, ..ruled };
        let record = self.keep(stream, ruled, traffic, past, now);
        Some(Step::Refuse(refusal, record))
    }
}
