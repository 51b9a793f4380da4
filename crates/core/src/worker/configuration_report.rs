//! Telling the approval service what this configuration opens: the digest of each scope, once, where the answer to a
//! poll asks for it.
//!
//! Nothing waits for it, and nothing that decides depends on it. Each worker's poll is asked, its first one too, by which
//! it learns where the feed is before it follows the worker that polls for all: so a new configuration is known before the
//! old one's workers are gone, and each of several configurations of one Envoy is. One VM of the process reports.

use std::time::Duration;

use breakglass_types::configurations::{MAX_CONFIGURATION_BYTES, ReportedConfiguration};

use crate::calls::Answer;
use crate::config::{Config, ConfigDigest};
use crate::instant::Instant;
use crate::sharing::{Board, may_tell};

/// The shortest time between two reports while they are asked for: one that got lost is made again.
const MIN_INTERVAL: Duration = Duration::from_secs(30);

/// What one worker has reported of its configuration.
#[derive(Debug)]
pub(super) struct ConfigurationReport {
    /// The digest that is to be reported; `None` where nothing can be.
    digest: Option<String>,
    /// The approval service has asked for it since the last report.
    is_wanted: bool,
    is_under_way: bool,
    last: Option<Instant>,
    /// When the last report had arrived.
    arrived_at: Option<Instant>,
    /// Whether the log has it that reports fail.
    has_said: bool,
    warning: Option<String>,
}

impl ConfigurationReport {
    pub(super) fn new(config: &Config, digest: Option<ConfigDigest>) -> ConfigurationReport {
        let feed = config.revocation.feed.as_ref();
        let can = feed.is_some_and(|feed| feed.configurations().is_some());
        ConfigurationReport {
            digest: digest.filter(|_| can).map(ConfigDigest::text),
            is_wanted: false,
            is_under_way: false,
            last: None,
            arrived_at: None,
            has_said: false,
            warning: None,
        }
    }

    /// A poll that was sent then was answered, with this value of the header that asks.
    pub(super) fn polled(&mut self, wanted: Option<&[u8]>, asked_at: Instant) {
        // The service may have answered before the report arrived that was made since.
        let is_known = self.arrived_at.is_some_and(|at| asked_at < at);
        let is_ours = wanted.zip(self.digest.as_deref());
        let is_ours = is_ours.is_some_and(|(wanted, digest)| wanted == digest.as_bytes());
        self.is_wanted = is_ours && !is_known;
    }

    /// Whether a report is to be made now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        // A clock that was set back must not keep a report from being made.
        let is_recent = |last: Instant| last <= now && now.since(last) < MIN_INTERVAL;
        self.is_wanted && !self.is_under_way && !self.last.is_some_and(is_recent)
    }

    /// The report that is to be made now: it is under way then.
    pub(super) fn begin(
        &mut self,
        config: &Config,
        board: &dyn Board,
        now: Instant,
    ) -> Option<String> {
        if !self.is_due(now) {
            return None;
        }
        self.is_wanted = false;
        let digest = self.digest.as_deref()?;
        if !may_tell(board, digest, MIN_INTERVAL, now) {
            return None;
        }
        let body = body(config, digest)?;
        if body.len() > MAX_CONFIGURATION_BYTES {
            // It stays as large as it is.
            self.digest = None;
            self.warning = Some(format!(
                "the approval service asks what this configuration opens, and the answer has {} bytes; expected at most \
                 {MAX_CONFIGURATION_BYTES}: nothing is sent, and approvers do not see what its scopes open. Shorten the \
                 names of scopes and audiences, or split the configuration",
                body.len()
            ));
            return None;
        }
        (self.is_under_way, self.last) = (true, Some(now));
        Some(body)
    }

    /// The report that was under way was answered, or not. The word for what came of it.
    pub(super) fn answered(&mut self, answer: &Answer<'_>, now: Instant) -> &'static str {
        self.is_under_way = false;
        let why = match answer {
            Answer::Response { status: 200..=299, .. } => {
                (self.arrived_at, self.has_said) = (Some(now), false);
                return "ok";
            }
            Answer::Response { status, .. } => format!("it was answered with {status}"),
            Answer::Failed => "the call was reset".to_owned(),
            Answer::NotSent => "Envoy took no call".to_owned(),
            Answer::TimedOut => "there was no answer in time".to_owned(),
        };
        // Another poll may be long in coming, or never come.
        self.is_wanted = true;
        if !std::mem::replace(&mut self.has_said, true) {
            self.warning = Some(format!(
                "the approval service asked what this configuration opens, and did not take the answer \
                 (/v1/proxies/configurations): {why}. It is sent again while it is asked for; until then approvers do \
                 not see what its scopes open. Nothing else depends on it"
            ));
        }
        "failed"
    }

    /// What is to be logged since the last tick.
    pub(super) fn warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

/// What this configuration opens.
fn body(config: &Config, digest: &str) -> Option<String> {
    let audiences = config.issuers.iter().flat_map(|issuer| issuer.audiences.iter().cloned());
    let reported = ReportedConfiguration {
        configuration: digest.to_owned(),
        audiences: audiences.collect(),
        scopes: config.scopes.digests().clone(),
    };
    serde_json::to_string(&reported).ok()
}
