//! What a worker has for challenges: the key that answers them, and the reports of those answers.

use std::collections::VecDeque;
use std::time::Duration;

use breakglass_types::challenge::Reported;

use crate::config::Config;
use crate::instant::Instant;
use crate::probe::{Answering, Asked, MAX_PROBE_REPORTS, PROBE_LIFETIME_S, ProbeAnswer, ProbeKey};

/// The shortest time between two reports: a challenge that is sent a thousand times, each time to another authority,
/// is not a thousand polls.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// How many reports are remembered, so that none is made twice: more than this are made again.
const MAX_MADE: usize = 64;

/// The challenges that one worker answers.
#[derive(Debug)]
pub(super) struct Probes {
    key: ProbeKey,
    /// Whether there is a feed, with whose polls answers are reported.
    reports: bool,
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
        Probes {
            key,
            reports: config.revocation.feed.is_some(),
            pending: Vec::new(),
            made: VecDeque::new(),
            is_under_way: false,
            last: None,
        }
    }

    /// The answer to a challenge.
    pub(super) fn answer(&self, asked: &Asked<'_>, answering: &Answering<'_>) -> ProbeAnswer {
        self.key.answer(asked, answering)
    }

    /// This is to be reported, unless it was.
    pub(super) fn add(&mut self, report: String, now: Instant) {
        if !self.reports {
            return;
        }
        // A clock that was set back must not keep them for longer than it takes.
        let lifetime = Duration::from_secs(PROBE_LIFETIME_S.saturating_mul(2));
        self.made.retain(|(until, _)| now < *until && until.since(now) <= lifetime);
        let is_known = self.made.iter().any(|(_, made)| *made == report);
        if is_known || self.pending.contains(&report) || self.pending.len() >= MAX_PROBE_REPORTS {
            return;
        }
        self.pending.push(report);
    }

    /// The report that is to be made now, unless one is under way, and when at the earliest: it is under way then.
    pub(super) fn begin(&mut self, now: Instant) -> Option<(String, Instant)> {
        if self.is_under_way || self.pending.is_empty() {
            return None;
        }
        let reports = std::mem::take(&mut self.pending);
        // A clock that was set back must not keep a report from being made.
        let last = self.last.filter(|last| *last <= now);
        let at = last.map_or(now, |last| now.max(last.after(MIN_INTERVAL)));
        let report = Reported::join(&reports);
        let until = now.after(Duration::from_secs(PROBE_LIFETIME_S));
        self.made.extend(reports.into_iter().map(|report| (until, report)));
        while self.made.len() > MAX_MADE {
            self.made.pop_front();
        }
        (self.is_under_way, self.last) = (true, Some(at));
        Some((report, at))
    }

    /// The report that was under way was answered, or not.
    pub(super) fn answered(&mut self) {
        self.is_under_way = false;
    }
}
