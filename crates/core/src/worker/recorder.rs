//! What is recorded: the audit records of one worker, which are a chain; how far the approval service knows that chain;
//! and what was counted.
//!
//! The recorder knows no stream, no key and no revocation. What is to be called it puts into the queue of calls.

mod heads;

use std::time::Duration;

use crate::alerts::AlertCounts;
use crate::audit::{
    Chain, ChainKey, Decided, Decision, End, Link, Pages, Phase, Record, ReportLimit, Ruled,
};
use crate::caller::Identity;
use crate::calls::StreamId;
use crate::config::{Config, ConfigDigest};
use crate::counters::{CounterName, Counters};
use crate::instant::Instant;
use crate::measures::Measures;
use crate::reason::Reason;
use crate::sharing::{Board, SharedHeads};

/// How long a recorder that is at its end tries to report its last head: its worker is not freed before.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// The records, the reports and the counters of one worker.
#[derive(Debug)]
pub(super) struct Recorder {
    /// The proxy's name, for records and reports.
    node: Option<String>,
    /// Whether the configuration has heads reported.
    reports: bool,
    chain: Chain,
    counters: Counters,
    measures: Measures,
    /// The head that is on its way to the approval service.
    pages: Option<Pages>,
    report_limit: ReportLimit,
    /// Whether a report was too large since the last tick.
    was_too_large: bool,
    /// `None` where every VM reports its head alone.
    heads: Option<SharedHeads>,
    /// When its chain ended.
    ended_at: Option<Instant>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    Arrived,
    /// The approval service, or a proxy before it, takes no report of this size.
    TooLarge,
    Failed,
}

impl Recorder {
    /// An empty chain.
    pub(super) fn new(config: &Config, identity: &Identity, now: Instant) -> Recorder {
        Recorder {
            node: identity.node.clone(),
            reports: config.audit.heads.is_some(),
            chain: Chain::new(chain_id(config, identity.id), now)
                .under(identity.digest.map(ConfigDigest::text)),
            counters: Counters::new(&config.scopes),
            measures: Measures::default(),
            pages: None,
            report_limit: ReportLimit::new(),
            was_too_large: false,
            heads: SharedHeads::new(config, identity.id),
            ended_at: None,
        }
    }

    /// Counts what was decided about a request. Its first record, which is no link of the chain.
    pub(super) fn decided(&mut self, stream: StreamId, decided: &Decided) -> Record {
        let Ruled { decision, reason, scope, .. } = &decided.ruled;
        self.count_decision(*decision, *reason, scope.as_deref());
        self.record(stream, decided, &Phase::Decision)
    }

    /// The record of a request that has run for long, and its place in the chain.
    pub(super) fn started(
        &mut self,
        stream: StreamId,
        decided: &Decided,
        now: Instant,
    ) -> (Record, Option<Link>) {
        let record = self.record(stream, decided, &Phase::Start(now));
        (record, self.chain.head().cloned())
    }

    /// The final record of a request, and the record that it left while it ran.
    pub(super) fn logged(
        &mut self,
        stream: StreamId,
        decided: &Decided,
        end: &End<'_>,
        start: Option<Link>,
    ) -> Record {
        self.record(stream, decided, &Phase::End(end, start))
    }

    fn record(&mut self, stream: StreamId, decided: &Decided, phase: &Phase<'_>) -> Record {
        decided.record(stream, self.node.as_deref(), phase, &mut self.chain)
    }

    /// Counts what was decided about a request, or about one that was decided before.
    pub(super) fn count_decision(
        &mut self,
        decision: Decision,
        reason: Reason,
        scope: Option<&str>,
    ) {
        self.counters.decision(decision, reason, scope);
    }

    /// What is measured, as opposed to counted.
    pub(super) fn measures(&mut self) -> &mut Measures {
        &mut self.measures
    }

    /// Counts what came of a call.
    pub(super) fn count_call(&mut self, purpose: &'static str, result: &'static str) {
        self.counters.call(purpose, result);
    }

    /// Counts what became of alerts.
    pub(super) fn count_alerts(&mut self, counts: AlertCounts) {
        let AlertCounts { sent, suppressed, dropped } = counts;
        for (result, count) in [("sent", sent), ("suppressed", suppressed), ("dropped", dropped)] {
            self.counters.add("alerts", result, count);
        }
    }

    /// Hands over what was counted, and begins anew.
    pub(super) fn take_counters(&mut self) -> Vec<(CounterName, u64)> {
        self.counters.take()
    }

    /// Forgets, now and then, what the chain need not count any more.
    pub(super) fn forget(&mut self, now: Instant) {
        self.chain.forget(now);
    }

    /// No record follows. Whether all is said that can be: until then the recorder needs ticks, lest the approval
    /// service never hear that the chain has ended.
    ///
    /// The VM can be gone at once (it is where the VM itself was replaced), so the last head is left to the other VMs
    /// too.
    pub(super) fn end(&mut self, board: &dyn Board, now: Instant) -> bool {
        if !self.reports {
            return true;
        }
        self.ended_at = Some(now);
        self.chain.end();
        if let (Some(heads), Some(head)) = (&self.heads, self.chain.to_report()) {
            heads.end(board, head, now);
        }
        self.is_over(now)
    }

    /// Whether no record follows.
    pub(super) fn has_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    /// Whether a recorder that is at its end has said all that it can.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        // A clock that was set back must not keep it.
        let in_time = |at: Instant| at <= now && now.since(at) < LAST_WORDS;
        self.chain.is_over() || !self.ended_at.is_some_and(in_time)
    }
}

/// The id of a worker's chain: it commits to the credential, if there is one.
fn chain_id(config: &Config, random: [u8; 16]) -> [u8; 16] {
    match (&config.revocation.credential, random.first_chunk()) {
        (Some(credential), Some(random)) => {
            ChainKey::from_credential(credential.secret()).id(*random)
        }
        _ => random,
    }
}

#[cfg(test)]
mod tests;
