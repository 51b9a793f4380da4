//! The end of a request: it fails, is logged, or is gone; and taking it out of what is kept.

use crate::audit::{Decided, Decision, Outcome, Record, Ruled};
use crate::calls::StreamId;
use crate::decision::{Denial, Token};
use crate::instant::Instant;
use crate::reason::DenyReason;
use crate::refusal::refuse;
use crate::request::Facts;
use crate::step::Refusal;

use super::{CLIENT_GONE, Stream, Waiting, Worker, deny};

impl Worker {
    /// What this worker ordered for a request could not be done: the request is refused, whatever
    /// was decided before, and shadow mode does not change that.
    pub fn fail(&mut self, stream: StreamId, now: Instant) -> (Refusal, Record) {
        let mut denial = Denial::of(DenyReason::InternalError);
        let (facts, arrived) = match self.take(stream) {
            Some(Stream::Waiting(waiting)) => (waiting.facts, waiting.arrived),
            Some(Stream::Decided(decided)) => {
                denial.token = decided.ruled.token;
                (decided.ruled.facts, decided.ruled.arrived)
            }
            None => (Facts::default(), now),
        };
        let refusal = refuse(&denial, &facts, &self.config);
        let record = self.keep(stream, deny(denial, Decision::Deny, facts, arrived));
        (refusal, record)
    }

    /// A request is gone, logged or not: nothing of it is kept.
    pub fn forget(&mut self, stream: StreamId) {
        self.take(stream);
    }

    /// Takes a request that waits, and only such a one: what was decided meanwhile stays.
    pub(super) fn take_waiting(&mut self, stream: StreamId) -> Option<Box<Waiting>> {
        match self.streams.remove(&stream)? {
            Stream::Waiting(waiting) => Some(waiting),
            decided @ Stream::Decided(_) => {
                self.streams.insert(stream, decided);
                None
            }
        }
    }

    /// Takes a request out of all that is kept of requests.
    pub(super) fn take(&mut self, stream: StreamId) -> Option<Stream> {
        let taken = self.streams.remove(&stream)?;
        if let Stream::Decided(decided) = &taken
            && let Some(token) = &decided.ruled.token
        {
            self.deadlines.remove(&(token.void_at(self.config.clock_skew), stream));
        }
        Some(taken)
    }

    /// A request is over. The final audit record, if it is one to audit; only then is `outcome`
    /// asked for.
    pub fn logged(
        &mut self,
        stream: StreamId,
        outcome: impl FnOnce() -> Outcome,
        now: Instant,
    ) -> Option<Record> {
        let decided = match self.take(stream)? {
            Stream::Decided(decided) => *decided,
            Stream::Waiting(waiting) => self.abandoned(*waiting, now),
        };
        Some(decided.record(self.node.as_deref(), Some((&outcome(), now))))
    }

    /// What is recorded of a request whose client went away before the answer came: nothing was
    /// decided, and nothing passed.
    fn abandoned(&mut self, waiting: Waiting, now: Instant) -> Decided {
        let token = match &waiting.token {
            Token::Bytes(bytes) => self.memory.token(bytes, now, self.config.clock_skew),
            Token::Nothing | Token::Duplicated => None,
        };
        self.counters.decision(Decision::Deny.word(), CLIENT_GONE);
        let ruled = Ruled {
            arrived: waiting.arrived,
            decision: Decision::Deny,
            reason: CLIENT_GONE,
            token,
            scope: None,
            rule: None,
            standing: None,
            facts: waiting.facts,
        };
        Decided::new(ruled, &self.config)
    }
}
