//! Whether the conditions of a rule hold.

use super::facts::Facts;
use crate::access::directory::{Directory, Membership, is_in_any};
use crate::config::{ApprovalRule, Conditions};

/// Whether all conditions of a rule hold, of a request with these facts.
pub(super) fn hold(rule: &ApprovalRule, directory: &dyn Directory, facts: &Facts<'_>) -> bool {
    // Taken apart by name, so that a new condition has to be put in its place here.
    let Some(Conditions { duration_over, emergency, requester_in, between }) = &rule.when else {
        return true;
    };
    duration_over.is_none_or(|bound| counted_s(rule, facts) > bound)
        && (!emergency || facts.emergency)
        && (requester_in.is_empty() || may_be_in(directory, facts.requester, requester_in))
        && between.as_ref().is_none_or(|schedule| schedule.contains(facts.submitted_at))
}

/// For how many seconds the requester asks, and held any of the rule's scopes before.
fn counted_s(rule: &ApprovalRule, facts: &Facts<'_>) -> i64 {
    let counts = facts.held.iter().filter(|held| held.scopes.iter().any(|name| rule.is_for(name)));
    // Less than no time would let a person ask for more.
    let seconds = counts.map(|held| held.seconds.max(0));
    seconds.fold(facts.duration_s, i64::saturating_add)
}

/// Whether the person is in one of the groups, or it is not known.
fn may_be_in(directory: &dyn Directory, person: &str, groups: &[String]) -> bool {
    is_in_any(directory, person, groups) != Membership::No
}
