//! The end of a request: it fails, is logged, or is gone; and taking it out of what is kept.

use std::rc::Rc;

use crate::audit::{Decided, Decision, End, Outcome, Record, Ruled};
use crate::calls::StreamId;
use crate::decision::{Denial, Token};
use crate::instant::Instant;
use crate::reason::{DenyReason, Reason};
use crate::refusal::refuse;
use crate::request::Facts;
use crate::step::{Refusal, Step};

use super::{Past, Running, Stream, Waiting, Worker, ruling::ruled};

impl Worker {
    /// What this worker ordered for a request could not be done: the request is refused, whatever
    /// was decided before, and shadow mode does not change that.
    pub fn fail(&mut self, stream: StreamId, now: Instant) -> (Refusal, Record) {
        let mut denial = Denial::of(DenyReason::InternalError);
        let (facts, arrived, traffic) = match self.streams.take(stream) {
            Some(Stream::Waiting(waiting)) => (waiting.facts, waiting.arrived, waiting.traffic),
            Some(Stream::Decided(running)) => {
                let ruled = running.decided.ruled;
                denial.token = ruled.token;
                (ruled.facts, ruled.arrived, running.traffic)
            }
            None => (Facts::default(), now, Rc::default()),
        };
        let refusal = refuse(&denial, &facts, &self.config);
        let record = self.keep(
            stream,
            ruled(denial, Decision::Deny, facts, arrived),
            traffic,
            Past::default(),
            now,
        );
        (refusal, record)
    }

    /// Whether this worker holds anything of a request.
    #[must_use]
    pub fn holds(&self, stream: StreamId) -> bool {
        self.streams.contains(stream)
    }

    /// A request is gone, logged or not: nothing of it is kept.
    pub fn forget(&mut self, stream: StreamId) {
        drop(self.streams.take(stream));
    }

    /// A request is over. The final audit record, if it is one to audit; only then is `outcome`
    /// asked for.
    pub fn logged(
        &mut self,
        stream: StreamId,
        outcome: impl FnOnce() -> Outcome,
        now: Instant,
    ) -> Option<Record> {
        let (decided, traffic, past) = match self.streams.take(stream)? {
            Stream::Decided(running) => {
                let Running { decided, traffic, past, .. } = *running;
                (decided, traffic, past)
            }
            Stream::Waiting(waiting) => {
                let traffic = Rc::clone(&waiting.traffic);
                (self.abandoned(*waiting, now), traffic, Past::default())
            }
        };
        let Past { until_revoked, start, .. } = past;
        let end = End { outcome: outcome(), traffic: &traffic, until_revoked, logged: now };
        Some(self.recorder.logged(stream, &decided, &end, start))
    }

    /// The records of the requests that have run for long: their ends may never be logged.
    pub(super) fn note_starts(&mut self, now: Instant) -> Vec<(StreamId, Step)> {
        let mut steps = Vec::new();
        while let Some(stream) = self.streams.pop_start(now) {
            let Some(running) = self.streams.running_mut(stream) else { continue };
            let (record, link) = self.recorder.started(stream, &running.decided, now);
            running.past.start = link;
            steps.push((stream, Step::Note(record)));
        }
        steps
    }

    /// What is recorded of a request whose client went away before the answer came: nothing was
    /// decided, and nothing passed.
    fn abandoned(&mut self, waiting: Waiting, now: Instant) -> Decided {
        let token = match &waiting.token {
            Token::Bytes(bytes) => self.learner.token(bytes, now),
            Token::Verified(token) => Some(Rc::clone(token)),
            Token::Nothing | Token::Refused(_) => None,
        };
        self.recorder.count_decision(Decision::Deny, Reason::ClientGone, None);
        let ruled = Ruled {
            arrived: waiting.arrived,
            decision: Decision::Deny,
            reason: Reason::ClientGone,
            token,
            scope: None,
            rule: None,
            standing: None,
            facts: waiting.facts,
        };
        Decided::new(ruled, &self.config)
    }
}
