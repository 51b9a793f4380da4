//! The end of a worker: it stays until the approval service knows that its chain of records has ended, and has its alerts.

use crate::caller::Caller;
use crate::calls::Answer;
use crate::instant::Instant;
use crate::sharing::Board;
use crate::sources::Lines;

use super::{Tick, Worker};

impl Worker {
    /// This worker is at its end, and no request is left: another VM polls the feed, if this one did,
    /// and no record follows in its chain. Whether it is over now: until then it wants ticks, lest the
    /// approval service never hear that its chain has ended.
    pub fn end(&mut self, board: &dyn Board, now: Instant) -> bool {
        self.learner.resign(board);
        // Of a request that is not logged yet a record may follow.
        if !self.streams.is_empty() {
            return true;
        }
        self.end_measures(board, now);
        let is_told = self.end_alerts(now);
        self.recorder.end(board, now) && is_told
    }

    /// Whether a worker that is at its end has said all that it can.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.recorder.is_over(now)
            && self.alerts.as_deref().is_none_or(|alerts| alerts.is_over(now))
    }

    /// Time has passed for a worker that is at its end.
    pub(super) fn last_tick(&mut self, board: &dyn Board, now: Instant) -> Tick {
        self.recorder.report_end(board, &mut self.process, &mut self.calls, now);
        self.send_alerts(board, now);
        let caller = Caller::new(&self.identity, None, &self.config, self.learner.keys());
        let calls = self.calls.send(&self.config, &caller, |_| false, now);
        let mut steps = Vec::new();
        for call in self.calls.overdue(now) {
            steps.extend(self.answer(call, &Answer::TimedOut, now));
        }
        let Lines { warnings: mut failing, notices } = self.sources.lines(&self.config, board, now);
        let mut warnings: Vec<_> = self.recorder.warning(now).into_iter().collect();
        warnings.append(&mut failing);
        let counters = self.recorder.take_counters();
        let (gauges, durations) = self.recorder.measures().take();
        Tick { calls, steps, counters, gauges, durations, warnings, notices }
    }
}
