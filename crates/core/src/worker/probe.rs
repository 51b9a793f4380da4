//! Whether this filter is here: challenges that are answered, and the reports of those answers.
//!
//! A challenge is only looked at in a request without a token: what comes with a token is judged and recorded, always.
//! One that does not verify changes nothing, and is counted nowhere.
//!
//! The service recognises an answer by the proxy's credential and by what the last poll of its process said of version
//! and configuration. Where that does not do, because there is no credential, or because the worker that polls for
//! all has another configuration, it waits for the report that each worker makes of what it has answered.

use std::collections::VecDeque;
use std::time::Duration;

use breakglass_types::challenge::Reported;

use crate::calls::Answer;
use crate::config::Config;
use crate::instant::Instant;
use crate::probe::{
    Answering, Asked, Challenge, MAX_PROBE_REPORTS, PROBE_LIFETIME_S, ProbeAnswer, ProbeKey,
};
use crate::request::Seen;
use crate::sharing::Board;

use super::Worker;

/// The shortest time between two reports: a challenge that is sent a thousand times, each time to another authority,
/// is not a thousand polls.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// How many reports are remembered, so that none is made twice: more than this are made again.
const MAX_MADE: usize = 64;

/// What a worker has for challenges.
#[derive(Debug)]
pub(super) struct Probes {
    key: ProbeKey,
    /// What is to be reported: at most [`MAX_PROBE_REPORTS`], and what comes beyond is not reported.
    pending: Vec<String>,
    /// What was reported lately, and until when a challenge may live that it is about.
    made: VecDeque<(Instant, String)>,
    is_under_way: bool,
    last: Option<Instant>,
}

impl Probes {
    pub(super) fn new(config: &Config, random: [u8; 16]) -> Probes {
        let key = match &config.revocation.credential {
            Some(credential) => ProbeKey::from_credential(credential.secret()),
            None => ProbeKey::from_random(random),
        };
        Probes { key, pending: Vec::new(), made: VecDeque::new(), is_under_way: false, last: None }
    }

    fn add(&mut self, report: String, now: Instant) {
        // A clock that was set back must not keep them for longer than it takes.
        let lifetime = Duration::from_secs(PROBE_LIFETIME_S.saturating_mul(2));
        self.made.retain(|(until, _)| now < *until && until.since(now) <= lifetime);
        let is_known = self.made.iter().any(|(_, made)| *made == report);
        if is_known || self.pending.contains(&report) || self.pending.len() >= MAX_PROBE_REPORTS {
            return;
        }
        self.pending.push(report);
    }
}

impl Worker {
    /// The answer to a request with a challenge; `None` for every other request.
    pub(super) fn probe(
        &mut self,
        seen: &Seen<'_>,
        board: &dyn Board,
        now: Instant,
    ) -> Option<ProbeAnswer> {
        let value = seen.probe(&self.config)?;
        let challenge = Challenge::verify(value, &self.config, &self.keys, now)?;
        let asked = Asked { challenge: &challenge.text, authority: seen.authority };
        let process = self.process_id(board).map(|process| process.text()).unwrap_or_default();
        let config = self.identity.digest.map(|digest| digest.text()).unwrap_or_default();
        let version = self.identity.version;
        let answering = Answering { process: &process, version, config: &config };
        let answer = self.probes.key.answer(&asked, &answering);
        self.counters.call("probe", "answered");
        let report = Reported { jti: challenge.jti.clone(), digest: answer.report(&asked) }.text();
        self.probes.add(report, now);
        self.report_probes(now);
        Some(answer)
    }

    /// Queues what is to be reported, unless a report is under way.
    pub(super) fn report_probes(&mut self, now: Instant) {
        let probes = &mut self.probes;
        if probes.is_under_way || probes.pending.is_empty() {
            return;
        }
        let reports = std::mem::take(&mut probes.pending);
        if self.config.revocation.feed.is_none() {
            return;
        }
        // A clock that was set back must not keep a report from being made.
        let last = probes.last.filter(|last| *last <= now);
        let at = last.map_or(now, |last| now.max(last.after(MIN_INTERVAL)));
        let query = self.revocations.whereabouts(self.identity.node.as_deref());
        self.calls.queue_probes(&query, &Reported::join(&reports), at);
        let until = now.after(Duration::from_secs(PROBE_LIFETIME_S));
        probes.made.extend(reports.into_iter().map(|report| (until, report)));
        while probes.made.len() > MAX_MADE {
            probes.made.pop_front();
        }
        (probes.is_under_way, probes.last) = (true, Some(at));
    }

    /// A report was answered, or not. No request waits for that; `breakglass probe` is run again.
    pub(super) fn learn_of_probes(&mut self, answer: &Answer<'_>, now: Instant) {
        let result = match answer {
            Answer::Response { status: 200, .. } => "ok",
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                "failed"
            }
        };
        self.counters.call("probe_report", result);
        self.probes.is_under_way = false;
        self.report_probes(now);
    }
}
