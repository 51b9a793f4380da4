//! The step for a request that an earlier instance of the filter in the same chain has decided about ([`super::twice`]).

use crate::audit::Decision;
use crate::decision::{Denial, Ruling};
use crate::mark::StreamState;
use crate::reason::{DenyReason, Reason};
use crate::refusal::refuse;
use crate::request::Facts;
use crate::step::{Pass, Step};

use super::Worker;
use super::twice::Found;

impl Worker {
    /// The step for a request that an earlier instance has decided about. `hidden` are the headers with a token
    /// that the upstream may not see.
    pub(super) fn after_earlier(
        &mut self,
        found: Found,
        ruling: Ruling,
        mut facts: Facts,
        hidden: Vec<String>,
        state: &dyn StreamState,
    ) -> Step {
        self.twice.say(found, state);
        match ruling {
            Ruling::StepAside => return Step::Pass(Pass::default()),
            Ruling::Pass => self.recorder.count_decision(Decision::Pass, Reason::NoToken, None),
            Ruling::ShadowDeny(denial) => {
                let Denial { reason, scope, .. } = &denial;
                let reason = Reason::Refused(*reason);
                self.recorder.count_decision(Decision::ShadowDeny, reason, scope.as_deref());
            }
            Ruling::Deny(denial) => return self.refuse_beside(&denial, &facts),
            // None of these is for a request that an earlier instance has decided about.
            Ruling::Judge | Ruling::Allow(_) | Ruling::RunsOn(_) | Ruling::Ask(_) => {
                return self.refuse_beside(&Denial::of(DenyReason::InternalError), &facts);
            }
        }
        let mut remove = hidden;
        if !state.has_permit() {
            remove.append(&mut facts.remove);
        }
        Step::Pass(Pass { remove, ..Pass::default() })
    }

    /// Refuses a request whose record stays as the earlier instance has written it.
    fn refuse_beside(&mut self, denial: &Denial, facts: &Facts) -> Step {
        let reason = Reason::Refused(denial.reason);
        self.recorder.count_decision(Decision::Deny, reason, denial.scope.as_deref());
        Step::RefuseUnrecorded(refuse(denial, facts, &self.config))
    }
}
