//! Time passes: what is due, and how soon time should pass next.

use std::time::Duration;

use crate::caller::Caller;
use crate::calls::{Answer, Call, StreamId};
use crate::counters::CounterName;
use crate::instant::Instant;
use crate::sharing::{Board, SharedHeads};
use crate::sources::Lines;
use crate::step::Step;
use crate::ticks::{IDLE_TICK, LEAD_TICK, SOON, TICK};

use super::Worker;

/// What is to be done because time has passed.
#[derive(Debug)]
pub struct Tick {
    /// Calls to make.
    pub calls: Vec<Call>,
    /// Requests that have waited long enough.
    pub steps: Vec<(StreamId, Step)>,
    /// What happened since the last tick.
    pub counters: Vec<(CounterName, u64)>,
    /// What is to be logged: something is wrong.
    pub warnings: Vec<String>,
    /// What is to be logged: something is right again.
    pub notices: Vec<String>,
}

impl Worker {
    /// Time has passed: at most [`Worker::period`] since the last time. `board` is what the VMs of this proxy
    /// share.
    pub fn tick(&mut self, board: &dyn Board, now: Instant) -> Tick {
        if self.ended_at.is_some() {
            return self.last_tick(board, now);
        }
        for issuer in self.keys.due(now) {
            self.calls.queue_keys(issuer, now);
            self.keys.fetch_begins(issuer, now);
        }
        self.revocations.purge(now);
        self.knowledge.notice(now);
        let mut steps = self.share(board, now);
        self.poll(now);
        self.report(board, now);
        self.report_probes(now);
        let process = if self.calls.has_queued(now) { self.process_id(board) } else { None };
        let caller = Caller::new(&self.identity, process, &self.config);
        let streams = &self.streams;
        let calls = self.calls.send(&self.config, &caller, |stream| streams.contains(stream), now);
        for call in self.calls.overdue(now) {
            steps.extend(self.answer(call, &Answer::TimedOut, now));
        }
        steps.extend(self.cut_due(now));
        steps.extend(self.note_starts(now));
        self.chain.forget(now);
        let mut warnings = self.warnings(now);
        warnings.append(&mut self.twice.warnings());
        warnings.append(&mut self.issuer_mistakes.warnings());
        warnings.extend(self.beside.warning());
        let Lines { warnings: mut failing, mut notices } =
            self.sources.lines(&self.config, board, now);
        warnings.append(&mut failing);
        notices.extend(self.withdrawals.notice());
        Tick { calls, steps, counters: self.counters.take(), warnings, notices }
    }

    /// How soon time should pass next.
    #[must_use]
    pub fn period(&self, now: Instant) -> Duration {
        // The sooner a call is made, the shorter a request waits, and the sooner others learn what this VM has
        // learnt.
        let goes_on = self.ended_at.is_none();
        let has_outcome = goes_on && self.heads.as_ref().is_some_and(SharedHeads::has_outcome);
        if self.has_news || has_outcome || self.calls.has_queued(now) {
            return SOON;
        }
        let rests = goes_on && self.is_idle() && !self.is_to_poll();
        if !rests {
            return TICK;
        }
        let holds_lease = self.leads && self.sharing.is_some();
        let rest = if holds_lease { LEAD_TICK } else { IDLE_TICK };
        self.due().map_or(rest, |due| due.since(now).clamp(TICK, rest))
    }

    /// When it has to do something that nothing but time brings about: to report its head, or to ask for keys.
    fn due(&self) -> Option<Instant> {
        let report = self.config.audit.heads.as_ref().and_then(|_| self.chain.next_report());
        [report, self.keys.next_fetch()].into_iter().flatten().min()
    }

    /// Whether it has no request: none runs, and none waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }
}
