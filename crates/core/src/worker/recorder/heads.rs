//! Reporting to the approval service how far the audit chain is.

use crate::audit::{Head, Pages, report};
use crate::calls::{Answer, Calls};
use crate::instant::Instant;
use crate::sharing::{Board, Idle, Process, ProcessId, SharedHeads};

use super::{Arrival, Recorder};

impl Recorder {
    /// Reports the head of the chain, if it is time, and the idle ones of other VMs, if it is this one's turn.
    pub(in crate::worker) fn report(
        &mut self,
        board: &dyn Board,
        process: &mut Option<Process>,
        calls: &mut Calls,
        now: Instant,
    ) {
        if !self.reports {
            return;
        }
        if self.report_own(board, process, calls, now)
            && let Some(heads) = &mut self.heads
        {
            heads.withdraw(board, self.chain.id());
        }
        let alone = match &self.heads {
            Some(heads) => heads.is_due(now) && self.look(board, process, calls, now),
            None => true,
        };
        if alone && let Some(head) = self.chain.repeat(now) {
            self.send(head, id(process, board), calls, now);
        }
    }

    /// The same after the end of the chain: only its own head is left to report.
    pub(in crate::worker) fn report_end(
        &mut self,
        board: &dyn Board,
        process: &mut Option<Process>,
        calls: &mut Calls,
        now: Instant,
    ) {
        if !self.reports {
            return;
        }
        self.report_own(board, process, calls, now);
        if self.chain.is_over()
            && let Some(heads) = &self.heads
        {
            heads.end_is_known(board, self.chain.id());
        }
    }

    /// Looks at what the other VMs have put on the board. Whether this one must repeat its head alone.
    fn look(
        &mut self,
        board: &dyn Board,
        process: &mut Option<Process>,
        calls: &mut Calls,
        now: Instant,
    ) -> bool {
        let Some(heads) = &mut self.heads else { return false };
        if heads.is_quiet(board, now) {
            return false;
        }
        let process = id(process, board);
        let idle = self.chain.is_idle().then(|| self.chain.to_report()).flatten();
        let idle = idle.map(|head| Idle { head, known_at: self.chain.known_at() });
        let look = heads.look(board, idle, process, self.report_limit.bytes(), now);
        if look.was_reported {
            self.chain.was_repeated(now);
        }
        if let Some(body) = self.body(process, &look.report) {
            calls.queue_shared_heads(&body, now);
        }
        look.alone
    }

    /// Reports the head if it is new. Whether it did.
    fn report_own(
        &mut self,
        board: &dyn Board,
        process: &mut Option<Process>,
        calls: &mut Calls,
        now: Instant,
    ) -> bool {
        let Some(head) = self.chain.report(now) else { return false };
        self.send(head, id(process, board), calls, now);
        true
    }

    fn send(&mut self, head: Head, process: Option<ProcessId>, calls: &mut Calls, now: Instant) {
        self.pages = Some(Pages::new(head, process.map(ProcessId::text)));
        self.send_page(calls, now);
    }

    /// Sends the next page of the head that is on its way.
    fn send_page(&mut self, calls: &mut Calls, now: Instant) {
        let Some(pages) = &mut self.pages else { return };
        let (page, process) = pages.page(self.report_limit.bytes());
        if let Some(body) = report(self.node.as_deref(), process, &[page]) {
            calls.queue_head(&body, now);
        }
    }

    fn body(&self, process: Option<ProcessId>, heads: &[Head]) -> Option<String> {
        let process = process.map(ProcessId::text);
        let body = report(self.node.as_deref(), process.as_deref(), heads);
        body.filter(|_| !heads.is_empty())
    }

    /// The page of its own head that was under way was answered, or not.
    pub(in crate::worker) fn learn_of_report(
        &mut self,
        answer: &Answer<'_>,
        calls: &mut Calls,
        now: Instant,
    ) -> Arrival {
        let arrival = self.count(answer);
        let arrived = match arrival {
            Arrival::Arrived => self.pages.as_mut().is_none_or(Pages::arrived).then_some(true),
            Arrival::TooLarge => (!self.report_limit.halve()).then_some(false),
            Arrival::Failed => Some(false),
        };
        match arrived {
            Some(arrived) => {
                self.pages = None;
                self.chain.reported(arrived, now);
            }
            None => self.send_page(calls, now),
        }
        arrival
    }

    /// The report of the heads of several VMs was answered, or not.
    pub(in crate::worker) fn learn_of_shared_report(&mut self, answer: &Answer<'_>) -> Arrival {
        let arrival = self.count(answer);
        if arrival == Arrival::TooLarge {
            // What is due is reported again, in smaller parts.
            self.report_limit.halve();
        }
        let arrived = arrival == Arrival::Arrived;
        self.heads.iter_mut().for_each(|heads| heads.reported(arrived));
        arrival
    }

    fn count(&mut self, answer: &Answer<'_>) -> Arrival {
        let (arrival, result) = match answer {
            Answer::Response { status: 200, .. } => (Arrival::Arrived, "ok"),
            Answer::Response { status: 413, .. } => (Arrival::TooLarge, "too_large"),
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                (Arrival::Failed, "failed")
            }
        };
        self.count_call("heads", result);
        self.was_too_large |= arrival == Arrival::TooLarge;
        arrival
    }

    /// Whether the other VMs are to be told what came of the report for all.
    pub(in crate::worker) fn has_outcome(&self) -> bool {
        !self.has_ended() && self.heads.as_ref().is_some_and(SharedHeads::has_outcome)
    }

    /// When the head is to be reported next, if there is something new to report.
    pub(in crate::worker) fn next_report(&self) -> Option<Instant> {
        self.chain.next_report().filter(|_| self.reports)
    }

    /// What is to be logged of reports that were too large.
    pub(in crate::worker) fn warning(&mut self, now: Instant) -> Option<String> {
        if !std::mem::take(&mut self.was_too_large) {
            return None;
        }
        self.report_limit.say(now)
    }
}

/// The id of the Envoy process, where its VMs can agree on one.
fn id(process: &mut Option<Process>, board: &dyn Board) -> Option<ProcessId> {
    process.as_mut()?.id(board)
}
