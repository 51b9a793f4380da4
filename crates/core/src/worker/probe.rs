//! Whether this filter is here: challenges that are answered, and the reports of those answers.
//!
//! A challenge is only looked at in a request without a token: what comes with a token is judged and recorded, always.
//! One that does not verify changes nothing, and is counted nowhere.
//!
//! The service recognises an answer by the proxy's credential and by what the last poll of its process said of version
//! and configuration. Where that does not do, because there is no credential, or because the worker that polls for
//! all has another configuration, it waits for the report that each worker makes of what it has answered.

use breakglass_types::challenge::Reported;

use crate::calls::Answer;
use crate::instant::Instant;
use crate::probe::{Answering, Asked, Challenge, ProbeAnswer};
use crate::request::Seen;
use crate::sharing::Board;

use super::Worker;

impl Worker {
    /// The answer to a request with a challenge; `None` for every other request.
    pub(super) fn probe(
        &mut self,
        seen: &Seen<'_>,
        board: &dyn Board,
        now: Instant,
    ) -> Option<ProbeAnswer> {
        let value = seen.probe(&self.config)?;
        let challenge = Challenge::verify(value, &self.config, self.learner.keys(), now)?;
        let asked = Asked { challenge: &challenge.text, authority: seen.authority };
        let process = self.process_id(board).map(|process| process.text()).unwrap_or_default();
        let config = self.identity.digest.map(|digest| digest.text()).unwrap_or_default();
        let version = self.identity.version;
        let answering = Answering { process: &process, version, config: &config };
        let answer = self.probes.answer(&asked, &answering);
        self.recorder.count_call("probe", "answered");
        let report = Reported { jti: challenge.jti.clone(), digest: answer.report(&asked) }.text();
        self.probes.add(report, now);
        self.report_probes(now);
        Some(answer)
    }

    /// Queues what is to be reported, unless a report is under way.
    pub(super) fn report_probes(&mut self, now: Instant) {
        let Some((report, at)) = self.probes.begin(now) else { return };
        let query = self.learner.whereabouts();
        self.calls.queue_probes(&query, &report, at);
    }

    /// A report was answered, or not. No request waits for that; `breakglass probe` is run again.
    pub(super) fn learn_of_probes(&mut self, answer: &Answer<'_>, now: Instant) {
        let result = match answer {
            Answer::Response { status: 200, .. } => "ok",
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                "failed"
            }
        };
        self.recorder.count_call("probe_report", result);
        self.probes.answered();
        self.report_probes(now);
    }
}
