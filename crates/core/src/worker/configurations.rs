//! A worker that is asked what its configuration opens.

use breakglass_types::configurations::WANTED_HEADER;

use crate::calls::{Answer, CallId};
use crate::instant::Instant;
use crate::question::Question;
use crate::sharing::Board;

use super::Worker;

impl Worker {
    /// A call is about to be answered. `header` reads a header of the response; it is only asked where the call is a
    /// poll.
    pub fn polled(&mut self, call: CallId, header: impl FnOnce(&str) -> Option<Vec<u8>>) {
        let Some((Question::Feed, asked_at)) = self.calls.under_way(call) else { return };
        let wanted = header(WANTED_HEADER);
        self.configuration_report.polled(wanted.as_deref(), asked_at);
    }

    /// Queues the report of the configuration, if it is asked for and it is time.
    pub(super) fn report_configuration(&mut self, board: &dyn Board, now: Instant) {
        if let Some(report) = self.configuration_report.begin(&self.config, board, now) {
            self.calls.queue_configuration(&report, now);
        }
    }

    /// The report of the configuration was answered, or not.
    pub(super) fn learn_of_configuration(&mut self, answer: &Answer<'_>, now: Instant) {
        let result = self.configuration_report.answered(answer, now);
        self.recorder.count_call("configuration_report", result);
    }
}
