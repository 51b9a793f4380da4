//! Reporting how far the audit chain is, and saying when it is over.

use std::time::Duration;

use crate::audit::{Head, Pages, report};
use crate::caller::Caller;
use crate::calls::Answer;
use crate::instant::Instant;
use crate::sharing::{Board, Idle, ProcessId, SharedHeads};
use crate::sources::{Failure, Lines, Source};

use super::{Tick, Worker};

/// How long a worker that is at its end tries to say so: what it holds is not freed before.
const LAST_WORDS: Duration = Duration::from_secs(60);

impl Worker {
    /// This worker is at its end, and no request is left: another VM polls the feed, if this one did,
    /// and no record follows in its chain. Whether it is over now: until then it wants ticks, lest the
    /// approval service never hear that its chain has ended.
    ///
    /// Its VM can be gone at once (it is where the VM itself was replaced), so the last head is left
    /// to the others too.
    pub fn end(&mut self, board: &dyn Board, now: Instant) -> bool {
        if let Some(sharing) = &self.sharing {
            sharing.resign(board);
        }
        // Of a request that is not logged yet a record may follow.
        if self.config.audit.heads.is_none() || !self.streams.is_empty() {
            return true;
        }
        self.ended_at = Some(now);
        self.chain.end();
        if let (Some(heads), Some(head)) = (&self.heads, self.chain.to_report()) {
            heads.end(board, head, now);
        }
        self.is_over(now)
    }

    /// Whether a worker that is at its end has said all that it can.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        // A clock that was set back must not keep it.
        let in_time = |at: Instant| at <= now && now.since(at) < LAST_WORDS;
        self.chain.is_over() || !self.ended_at.is_some_and(in_time)
    }

    /// Time has passed for a worker that is at its end.
    pub(super) fn last_tick(&mut self, board: &dyn Board, now: Instant) -> Tick {
        self.report_own(board, now);
        if self.chain.is_over()
            && let Some(heads) = &self.heads
        {
            heads.end_is_known(board, self.chain.id());
        }
        let caller = Caller::new(&self.identity, None, &self.config);
        let calls = self.calls.send(&self.config, &caller, |_| false, now);
        let mut steps = Vec::new();
        for call in self.calls.overdue(now) {
            steps.extend(self.answer(call, &Answer::TimedOut, now));
        }
        let Lines { warnings: mut failing, notices } = self.sources.lines(&self.config, board, now);
        let mut warnings = self.warnings(now);
        warnings.append(&mut failing);
        Tick { calls, steps, counters: self.counters.take(), warnings, notices }
    }

    /// Reports the head of the audit chain, if it is time, and the idle ones of other VMs, if it is
    /// this one's turn.
    pub(super) fn report(&mut self, board: &dyn Board, now: Instant) {
        if self.config.audit.heads.is_none() {
            return;
        }
        if self.report_own(board, now)
            && let Some(heads) = &mut self.heads
        {
            heads.withdraw(board, self.chain.id());
        }
        let alone = match &self.heads {
            Some(heads) => heads.is_due(now) && self.look(board, now),
            None => true,
        };
        if alone && let Some(head) = self.chain.repeat(now) {
            self.queue_own(board, head, now);
        }
    }

    /// Looks at what the other VMs have put on the board. Whether this one must repeat its head alone.
    fn look(&mut self, board: &dyn Board, now: Instant) -> bool {
        if self.heads.as_mut().is_some_and(|heads| heads.is_quiet(board, now)) {
            return false;
        }
        let process = self.process_id(board);
        let idle = self.chain.is_idle().then(|| self.chain.to_report()).flatten();
        let idle = idle.map(|head| Idle { head, known_at: self.chain.known_at() });
        let Some(heads) = &mut self.heads else { return false };
        let look = heads.look(board, idle, process, self.report_limit.bytes(), now);
        if look.was_reported {
            self.chain.was_repeated(now);
        }
        if let Some(body) = self.body(process, &look.report) {
            self.calls.queue_shared_heads(&body, now);
        }
        look.alone
    }

    /// Reports the head if it is new. Whether it did.
    fn report_own(&mut self, board: &dyn Board, now: Instant) -> bool {
        let Some(head) = self.chain.report(now) else { return false };
        self.queue_own(board, head, now);
        true
    }

    fn queue_own(&mut self, board: &dyn Board, head: Head, now: Instant) {
        let process = self.process_id(board).map(ProcessId::text);
        self.pages = Some(Pages::new(head, process));
        self.queue_page(now);
    }

    /// Sends the next page of the head that is on its way.
    fn queue_page(&mut self, now: Instant) {
        let Some(pages) = &mut self.pages else { return };
        let (page, process) = pages.page(self.report_limit.bytes());
        if let Some(body) = report(self.identity.node.as_deref(), process, &[page]) {
            self.calls.queue_head(&body, now);
        }
    }

    fn body(&self, process: Option<ProcessId>, heads: &[Head]) -> Option<String> {
        let process = process.map(ProcessId::text);
        let body = report(self.identity.node.as_deref(), process.as_deref(), heads);
        body.filter(|_| !heads.is_empty())
    }

    pub(super) fn process_id(&mut self, board: &dyn Board) -> Option<ProcessId> {
        self.process.as_mut()?.id(board)
    }

    pub(super) fn learn_of_report(&mut self, answer: &Answer<'_>, now: Instant) {
        let arrived = match self.learn_whether_it_arrived(answer, now) {
            Arrival::Arrived => self.pages.as_mut().is_none_or(Pages::arrived).then_some(true),
            Arrival::TooLarge => (!self.report_limit.halve()).then_some(false),
            Arrival::Failed => Some(false),
        };
        match arrived {
            Some(arrived) => {
                self.pages = None;
                self.chain.reported(arrived, now);
            }
            None => self.queue_page(now),
        }
    }

    pub(super) fn learn_of_shared_report(&mut self, answer: &Answer<'_>, now: Instant) {
        let arrival = self.learn_whether_it_arrived(answer, now);
        if arrival == Arrival::TooLarge {
            // What is due is reported again, in smaller parts.
            self.report_limit.halve();
        }
        let arrived = arrival == Arrival::Arrived;
        self.heads.iter_mut().for_each(|heads: &mut SharedHeads| heads.reported(arrived));
    }

    fn learn_whether_it_arrived(&mut self, answer: &Answer<'_>, now: Instant) -> Arrival {
        let (arrival, result) = match answer {
            Answer::Response { status: 200, .. } => (Arrival::Arrived, "ok"),
            Answer::Response { status: 413, .. } => (Arrival::TooLarge, "too_large"),
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                (Arrival::Failed, "failed")
            }
        };
        // One that is too large has a line of its own.
        if arrival != Arrival::TooLarge {
            let result = Failure::of(answer, 200).map_or(Ok(()), Err);
            self.sources.asked(Source::Heads, result, now);
        }
        self.counters.call("heads", result);
        self.was_too_large |= arrival == Arrival::TooLarge;
        arrival
    }

    /// What is to be logged of reports that were too large.
    pub(super) fn warnings(&mut self, now: Instant) -> Vec<String> {
        if !std::mem::take(&mut self.was_too_large) {
            return Vec::new();
        }
        self.report_limit.say(now).into_iter().collect()
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Arrived,
    TooLarge,
    Failed,
}
