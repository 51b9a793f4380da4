//! Time passes: what is due, and how soon time should pass next.

use std::time::Duration;

use crate::caller::Caller;
use crate::calls::{Answer, Call, StreamId};
use crate::counters::CounterName;
use crate::instant::Instant;
use crate::measures::{GaugeChange, MeasureName};
use crate::sharing::Board;
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
    /// Gauges that are other ones now.
    pub gauges: Vec<(MeasureName, GaugeChange)>,
    /// How long calls took that ended since the last tick, in milliseconds: values for histograms.
    pub durations: Vec<(MeasureName, u64)>,
    /// What is to be logged: something is wrong.
    pub warnings: Vec<String>,
    /// What is to be logged: something is right again.
    pub notices: Vec<String>,
}

impl Worker {
    /// Time has passed: at most [`Worker::period`] since the last time. `board` is what the VMs of this proxy
    /// share.
    pub fn tick(&mut self, board: &dyn Board, now: Instant) -> Tick {
        if self.has_ended() {
            return self.last_tick(board, now);
        }
        self.learner.refresh(&mut self.calls, now);
        let newly_revoked = self.learner.share(board, now);
        let mut steps = if newly_revoked { self.cut_revoked(now) } else { Vec::new() };
        self.learner.poll(&mut self.calls, now);
        self.recorder.report(board, &mut self.process, &mut self.calls, now);
        self.report_probes(now);
        self.report_configuration(board, now);
        self.begin(board, now);
        self.report_alerts(board, now);
        let process = if self.calls.has_queued(now) { self.process_id(board) } else { None };
        let caller = Caller::new(&self.identity, process, &self.config, self.learner.keys());
        let streams = &self.streams;
        let calls = self.calls.send(&self.config, &caller, |stream| streams.contains(stream), now);
        for call in self.calls.overdue(now) {
            steps.extend(self.answer(call, &Answer::TimedOut, now));
        }
        steps.extend(self.cut_due(now));
        steps.extend(self.note_starts(now));
        self.recorder.forget(now);
        self.measure(board, now);
        let mut warnings: Vec<_> = self.recorder.warning(now).into_iter().collect();
        warnings.append(&mut self.twice.warnings());
        warnings.append(&mut self.denial_log.warnings());
        warnings.extend(self.configuration_report.warning());
        let Lines { warnings: mut failing, mut notices } =
            self.sources.lines(&self.config, board, now);
        warnings.append(&mut failing);
        notices.extend(self.denial_log.notice());
        let counters = self.recorder.take_counters();
        let (gauges, durations) = self.recorder.measures().take();
        Tick { calls, steps, counters, gauges, durations, warnings, notices }
    }

    /// How soon time should pass next.
    #[must_use]
    pub fn period(&self, now: Instant) -> Duration {
        // The sooner a call is made, the shorter a request waits, and the sooner others learn what this VM has
        // learnt.
        let is_to_tell = self.learner.has_news() || self.recorder.has_outcome();
        let is_due =
            self.configuration_report.is_due(now) || self.next_alerts().is_some_and(|at| at <= now);
        if is_to_tell || is_due || self.calls.has_queued(now) {
            return SOON;
        }
        let goes_on = !self.has_ended();
        let rests = goes_on && self.is_idle() && !self.learner.is_to_poll();
        if !rests {
            return TICK;
        }
        let rest = if self.learner.holds_lease() { LEAD_TICK } else { IDLE_TICK };
        self.due().map_or(rest, |due| due.since(now).clamp(TICK, rest))
    }

    /// When it has to do something that nothing but time brings about: to report its head or alerts, to ask for keys, or
    /// to say what it holds.
    fn due(&self) -> Option<Instant> {
        let due = [
            self.recorder.next_report(),
            self.learner.next_fetch(),
            self.next_alerts(),
            self.next_measure(),
        ];
        due.into_iter().flatten().min()
    }

    /// Whether it has no request: none runs, and none waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }
}
