//! `[[approval_rules]]`: what requests for some scopes take to be approved, always or on conditions.

use breakglass_config_schema::{
    Object, Place, Reader as _, boolean, list, number, object, optional, or, or_none, parsed,
    required,
};

use super::emergency::EmergencyRule;
use super::escalation::{Escalation, in_order};
use super::read::{bounded_duration, distinct, name, scope_name};
use super::review::ReviewAfterUse;
use super::schedule::Schedule;

/// The most stages of one rule.
const MAX_STAGES: usize = 8;

/// The most people of one stage.
const MAX_COUNT: u64 = 10;

object! {
    /// What a request takes to be approved that names one of some scopes ([approval rules](approval-rules.md)). Every rule
    /// that matches a request has to be met, beside the `approvers` of its scopes.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ApprovalRule {
        /// Its name, which requesters and approvers see.
        pub name: String = required(parsed("name", name)),
        /// The scopes that it is for.
        pub scopes: Vec<String> = required(list(parsed("scope name", scope_name)).and_then(distinct)),
        /// Its stages, at most 8, met by different people, none of them the requester: such as
        /// `[{ from = ["payments-leads"] }, { from = ["security"], count = 2 }]`.
        pub need: Vec<ApprovalStage> = required(list(object()).and_then(stages)),
        /// Whether a stage counts approvals only once the stages before it are met.
        pub in_order: bool = or(false, boolean()),
        /// Who may approve besides, once a request has waited for so long
        /// ([escalation](approval-rules.md#escalation)): such as `[{ after = "5m", to = ["incident-commanders"] }]`.
        pub escalate: Vec<Escalation> = or_none(list(object()).and_then(in_order)),
        /// On which conditions it matches: all that are given have to hold.
        pub when: Option<Conditions> = optional("always", object()),
        /// What a requester takes alone in an emergency, where each rule that matches the request says so:
        /// such as `{ sign_in = { level = "mfa" } }`.
        pub emergency: Option<EmergencyRule> = optional("nothing", object()),
        /// The [review](review.md) of each used grant that it matched.
        pub review: Option<ReviewAfterUse> = optional("none", object()),
    }
}

object! {
    /// How many people of which groups have to approve.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ApprovalStage {
        /// The groups: each person is in one of them.
        pub from: Vec<String> = required(list(parsed("group", name)).and_then(distinct)),
        /// How many people.
        pub count: usize = or(1, number(1, MAX_COUNT)),
    }
}

object! {
    /// On which conditions an approval rule matches a request, as of its submission. A condition that cannot be evaluated
    /// holds.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Conditions {
        /// The requester asks for more time than this, at most a day, counting what the person held of the rule's scopes in the
        /// 24 hours before ([what counts](approval-rules.md#time-that-counts)).
        pub duration_over: Option<i64> = optional("any duration", parsed("duration", bounded_duration)),
        /// The request is called an emergency; `true` is the only value.
        pub emergency: bool = or_none(boolean().and_then(only_true)),
        /// The requester is in one of these groups, or it is not known.
        pub requester_in: Vec<String> = or_none(list(parsed("group", name)).and_then(distinct)),
        /// The request is submitted on these days, at these hours.
        pub between: Option<Schedule> = optional("at any time", object()),
    }
}

impl Object for ApprovalRule {}

impl Object for ApprovalStage {}

impl Object for Conditions {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let Conditions { duration_over, emergency, requester_in, between } = self;
        let is_given =
            duration_over.is_some() || *emergency || !requester_in.is_empty() || between.is_some();
        match is_given {
            true => Some(()),
            false => place.error(
                "expected `duration_over`, `emergency`, `requester_in` or `between`: leave `when` out where the rule always \
                 matches",
            ),
        }
    }
}

impl ApprovalRule {
    /// Every group whose members can have a part in it, in a stage or once it is escalated, with repetitions.
    pub fn groups(&self) -> impl Iterator<Item = &String> {
        let escalated = self.escalate.iter().flat_map(|entry| &entry.to);
        self.need.iter().flat_map(|stage| &stage.from).chain(escalated)
    }

    /// Its stages once it is escalated as far as can be.
    #[must_use]
    pub fn widest_need(&self) -> Vec<ApprovalStage> {
        let escalated = || self.escalate.iter().flat_map(|entry| &entry.to).cloned();
        let stages = self.need.iter().map(|stage| ApprovalStage {
            from: stage.from.iter().cloned().chain(escalated()).collect(),
            count: stage.count,
        });
        stages.collect()
    }

    /// Whether it is for the scope called `scope`.
    #[must_use]
    pub fn is_for(&self, scope: &str) -> bool {
        self.scopes.iter().any(|name| name == scope)
    }
}

fn stages(stages: Vec<ApprovalStage>, place: &Place<'_>) -> Option<Vec<ApprovalStage>> {
    match stages.len() {
        0..=MAX_STAGES => Some(stages),
        many => place.error(format!("expected at most {MAX_STAGES} stages, got {many}")),
    }
}

/// With `false` a requester could call a request an emergency to get rid of a rule.
fn only_true(value: bool, place: &Place<'_>) -> Option<bool> {
    match value {
        true => Some(true),
        false => place.error(
            "expected `true`: a condition can add a rule to emergencies and take none from them; leave it out where the rule is \
             for all requests",
        ),
    }
}
