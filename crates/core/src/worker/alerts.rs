//! What a worker has to say to people: what it decides, finds and learns goes to the [`Alerts`], and their reports into the
//! queue of calls. Where the configuration names no place for them there are none, and nothing here does anything.

use crate::alerts::{Alerts, Arrival, FeedState};
use crate::calls::{Answer, StreamId};
use crate::decision::{Denial, Token};
use crate::instant::Instant;
use crate::mark::StreamState;
use crate::request::Facts;
use crate::sharing::{Board, ProcessId};
use crate::sources::Source;

use super::Worker;
use super::twice::Found;

/// What is expected of an answer to a report.
const NO_ANSWER: &str = "expected JSON with `accepted` and `dropped`";

impl Worker {
    /// A request is refused, or would be, whose token may not be verified.
    pub(super) fn alert_of_stranger(
        &mut self,
        denial: &Denial,
        token: &Token,
        facts: &Facts,
        now: Instant,
    ) {
        if let (Some(alerts), None, Token::Bytes(bytes)) = (&mut self.alerts, &denial.token, token)
        {
            alerts.refused_unverified(denial.reason, bytes, facts, &self.config, now);
        }
    }

    /// An earlier instance of the filter has decided about a request.
    pub(super) fn alert_of_earlier(&mut self, found: Found, state: &dyn StreamState, now: Instant) {
        if let (Some(alerts), Found::Other(cause)) = (&mut self.alerts, found) {
            alerts.found_twice(cause.text(), || state.listener(), now);
        }
    }

    /// What was decided about a request is said in another way now.
    pub(super) fn alert_of_restated(&mut self, stream: StreamId) {
        if let (Some(alerts), Some(running)) = (&mut self.alerts, self.streams.running(stream)) {
            alerts.restated(&running.decided.ruled, &self.config);
        }
    }

    /// Looks for what no decision causes, and queues the report that is to be made.
    pub(super) fn report_alerts(&mut self, board: &dyn Board, now: Instant) {
        let Some(alerts) = &mut self.alerts else { return };
        let tells = self.learner.leads();
        let revocation = &self.config.revocation;
        if revocation.feed.is_some() {
            let (age, max_staleness) = (self.learner.feed_age(now), revocation.max_staleness);
            alerts.look_at_feed(FeedState { age, max_staleness }, tells, now);
        }
        alerts.look_at_keys(&self.config, tells, now);
        self.send_alerts(board, now);
    }

    /// Queues the report that is to be made.
    pub(super) fn send_alerts(&mut self, board: &dyn Board, now: Instant) {
        let Some(alerts) = &mut self.alerts else { return };
        let process = || self.process.as_mut()?.id(board).map(ProcessId::text);
        if let Some(report) = alerts.begin(self.identity.node.as_deref(), process, now) {
            self.calls.queue_alerts(&report, now);
        }
        self.recorder.count_alerts(alerts.take_counts());
    }

    /// The report of alerts was answered, or not.
    pub(super) fn learn_of_alerts(&mut self, answer: &Answer<'_>, now: Instant) {
        let Some(alerts) = &mut self.alerts else { return };
        let arrival = alerts.answered(answer, now);
        let (read, result) = match arrival {
            Arrival::Arrived => (Ok(()), "ok"),
            Arrival::Refused => (Err(NO_ANSWER), "refused"),
            Arrival::Failed => (Err(NO_ANSWER), "failed"),
        };
        self.recorder.count_call("alert_report", result);
        self.note(Source::Alerts, answer, read, now);
    }

    /// No decision follows. Whether all is told.
    pub(super) fn end_alerts(&mut self, now: Instant) -> bool {
        self.alerts.as_mut().is_none_or(|alerts| alerts.end(now))
    }

    /// Whether this worker is at its end.
    pub(super) fn has_ended(&self) -> bool {
        self.recorder.has_ended() || self.alerts.as_deref().is_some_and(Alerts::has_ended)
    }

    /// When alerts are to be reported next, if there are any.
    pub(super) fn next_alerts(&self) -> Option<Instant> {
        self.alerts.as_ref()?.next()
    }
}
