//! From a ruling to the step of a request, and its first record.

use std::rc::Rc;

use breakglass_types::percent::header_value;

use crate::audit::{Decided, Decision, Phase, Record, Ruled};
use crate::bodies::Traffic;
use crate::calls::StreamId;
use crate::config::Enforcement;
use crate::connection::CleanConnection;
use crate::decision::{Allowance, Denial};
use crate::instant::{Instant, millis};
use crate::mark::MarkedDecision;
use crate::refusal::refuse;
use crate::request::Facts;
use crate::step::{Pass, Permit, Step};

use super::{
    BACKSTOP_DELAY, GRANT_HEADER, Past, Running, STREAM_DURATION_HEADER, SUBJECT_HEADER, Stream,
    Waiting, Worker,
};

impl Worker {
    pub(super) fn permit(
        &mut self,
        stream: StreamId,
        mut waiting: Waiting,
        allowance: Allowance,
        now: Instant,
    ) -> Step {
        let Allowance { reason, token, scope, rule, standing } = allowance;
        if let Some(scope) = self.config.scopes.get(&scope) {
            waiting.traffic.watch(&scope.request_body, &scope.response_body, &waiting.kept);
        }
        let connection = CleanConnection::of(&waiting.facts.headers, &self.config);
        let mark = self.twice.mark(MarkedDecision::Permit, &waiting.facts);
        let mut remove = std::mem::take(&mut waiting.facts.remove);
        remove.extend(connection.remove);
        let ruled = Ruled {
            arrived: waiting.arrived,
            decision: Decision::Allow,
            reason: reason.code(),
            token: Some(Rc::clone(&token)),
            scope: Some(scope),
            rule: Some(rule),
            standing: Some(standing),
            facts: waiting.facts,
        };
        // Envoy's own limit is for good, so it is not what may move when something becomes known.
        let (end, _) = self.firm_end(&ruled, &token, now, now);
        let remaining = end.since(now).saturating_add(BACKSTOP_DELAY);
        let claims = token.claims();
        let mut set = vec![
            (GRANT_HEADER, claims.jti.clone()),
            (SUBJECT_HEADER, header_value(&claims.sub)),
            (STREAM_DURATION_HEADER, millis(remaining).max(1).to_string()),
        ];
        set.extend(connection.set);
        let past = Past { permitted: Some(now), ..Past::default() };
        let record = self.keep(stream, ruled, waiting.traffic, past);
        Step::Permit(Permit { remove, set, record, mark })
    }

    pub(super) fn deny(&mut self, stream: StreamId, waiting: Waiting, denial: Denial) -> Step {
        let Waiting { mut facts, arrived, traffic, .. } = waiting;
        self.issuer_mistakes.note(&denial);
        match self.config.enforcement {
            Enforcement::Enforce => {
                let refusal = refuse(&denial, &facts, &self.config);
                let ruled = ruled(denial, Decision::Deny, facts, arrived);
                let record = self.keep(stream, ruled, traffic, Past::default());
                Step::Refuse(refusal, record)
            }
            Enforcement::Shadow => {
                let mark = self.twice.mark(MarkedDecision::ShadowDeny, &facts);
                let remove = std::mem::take(&mut facts.remove);
                let ruled = ruled(denial, Decision::ShadowDeny, facts, arrived);
                let record = self.keep(stream, ruled, traffic, Past::default());
                Step::Pass(Pass { remove, record: Some(record), mark, ..Pass::default() })
            }
        }
    }

    /// Counts and keeps what was decided, for the final record. The first record.
    pub(super) fn keep(
        &mut self,
        stream: StreamId,
        ruled: Ruled,
        traffic: Rc<Traffic>,
        past: Past,
    ) -> Record {
        self.counters.decision(ruled.decision.word(), ruled.reason);
        let end = match (ruled.decision, &ruled.token, past.permitted) {
            (Decision::Allow, Some(token), Some(permitted)) => {
                Some(self.end_of(&ruled, token, permitted, permitted))
            }
            _ => None,
        };
        self.deadlines.extend(end.map(|(at, _)| (at, stream)));
        let starts = end.map(|_| (ruled.arrived.after(self.config.audit.start_after), stream));
        self.starts.extend(starts);
        let decided = Decided::new(ruled, &self.config);
        let node = self.identity.node.as_deref();
        let record = decided.record(stream, node, &Phase::Decision, &mut self.chain);
        let running = Running { decided, end, traffic, past };
        self.streams.insert(stream, Stream::Decided(Box::new(running)));
        record
    }
}

/// What was decided about a request that is refused.
pub(super) fn ruled(denial: Denial, decision: Decision, facts: Facts, arrived: Instant) -> Ruled {
    Ruled {
        arrived,
        decision,
        reason: denial.reason.code(),
        token: denial.token,
        scope: denial.scope,
        rule: denial.rule,
        standing: denial.standing,
        facts,
    }
}
