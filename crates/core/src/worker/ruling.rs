//! From a ruling to the step of a request, and its first record.

use std::rc::Rc;

use crate::audit::{Decided, Decision, Record, Ruled};
use crate::bodies::Traffic;
use crate::calls::StreamId;
use crate::connection::CleanConnection;
use crate::decision::{Allowance, Denial, Terms};
use crate::instant::Instant;
use crate::mark::MarkedDecision;
use crate::reason::Reason;
use crate::refusal::refuse;
use crate::request::Facts;
use crate::step::{Pass, Step};

use super::{BACKSTOP_DELAY, Past, Running, Waiting, Worker};

impl Worker {
    pub(super) fn permit(
        &mut self,
        stream: StreamId,
        mut waiting: Waiting,
        mut allowance: Allowance,
        now: Instant,
    ) -> Step {
        if let Some(scope) = self.config.scopes.get(allowance.scope()) {
            waiting.traffic.watch(&scope.request_body, &scope.response_body, &waiting.kept);
        }
        let connection = CleanConnection::of(&waiting.facts.headers, &self.config);
        let mark = self.twice.mark(MarkedDecision::Permit, &waiting.facts);
        let mut remove = std::mem::take(&mut waiting.facts.remove);
        remove.extend(connection.remove);
        let next_scope = allowance.take_next_scope();
        let past = Past { permitted: Some(now), next_scope, ..Past::default() };
        let Waiting { arrived, facts, traffic, .. } = waiting;
        let permit = allowance.permit(
            Terms { arrived, facts, remove, set: connection.set, mark },
            |ruled| {
                // Envoy's own limit is for good, so it is not what may move when something becomes known.
                let end = self.firm_end(&ruled, &past).map_or(now, |(end, _)| end);
                let longest = end.since(now).saturating_add(BACKSTOP_DELAY);
                (self.keep(stream, ruled, traffic, past, now), longest)
            },
        );
        Step::Permit(permit)
    }

    /// Refuses a request.
    pub(super) fn deny(
        &mut self,
        stream: StreamId,
        waiting: Waiting,
        denial: Denial,
        now: Instant,
    ) -> Step {
        let Waiting { facts, arrived, traffic, token, .. } = waiting;
        self.denial_log.refused(&denial);
        self.alert_of_stranger(&denial, &token, &facts, now);
        let refusal = refuse(&denial, &facts, &self.config);
        let ruled = ruled(denial, Decision::Deny, facts, arrived);
        let record = self.keep(stream, ruled, traffic, Past::default(), now);
        Step::Refuse(refusal, record)
    }

    /// Lets a request go on that would be refused, were the filter not in shadow mode.
    pub(super) fn shadow_deny(
        &mut self,
        stream: StreamId,
        waiting: Waiting,
        denial: Denial,
        now: Instant,
    ) -> Step {
        let Waiting { mut facts, arrived, traffic, token, .. } = waiting;
        self.denial_log.refused(&denial);
        self.alert_of_stranger(&denial, &token, &facts, now);
        let mark = self.twice.mark(MarkedDecision::ShadowDeny, &facts);
        let remove = std::mem::take(&mut facts.remove);
        let ruled = ruled(denial, Decision::ShadowDeny, facts, arrived);
        let record = self.keep(stream, ruled, traffic, Past::default(), now);
        Step::Pass(Pass { remove, record: Some(record), mark, ..Pass::default() })
    }

    /// Counts and keeps what was decided, for the final record, and causes the alert that it calls for. The first record.
    pub(super) fn keep(
        &mut self,
        stream: StreamId,
        ruled: Ruled,
        traffic: Rc<Traffic>,
        past: Past,
        now: Instant,
    ) -> Record {
        let end = if ruled.decision == Decision::Allow { self.end_of(&ruled, &past) } else { None };
        let decided = Decided::new(ruled, &self.config);
        if let Some(alerts) = &mut self.alerts {
            alerts.decided(&decided.ruled, &self.config, now);
        }
        let record = self.recorder.decided(stream, &decided);
        self.streams.run(stream, Running { decided, end, traffic, past });
        record
    }
}

/// What was decided about a request that is refused.
pub(super) fn ruled(denial: Denial, decision: Decision, facts: Facts, arrived: Instant) -> Ruled {
    Ruled {
        arrived,
        decision,
        reason: Reason::Refused(denial.reason),
        token: denial.token,
        scope: denial.scope,
        rule: denial.rule,
        standing: denial.standing,
        facts,
    }
}
