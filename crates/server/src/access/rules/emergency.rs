//! What is in the way of an emergency that its requester takes alone, and what it needs then. Pure.
//!
//! 1. A request that is called an emergency is taken alone only where *every* rule that matches it has `emergency`. The `approvers`
//!    of a scope never have it.
//! 2. Some obstacles make it a request like any other: all rules have to be met. With others it stays an emergency, and takes one
//!    person of each rule, of any of its groups.
//! 3. What is in the way is fixed at the submission. A rule that comes later, or loses the word, is asked in full on top.

use std::collections::BTreeMap;

use breakglass_api::emergency::EmergencyObstacle;
use breakglass_types::Basis;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::facts::Facts;
use super::needs::{Need, Needs};
use crate::access::directory::Directory;
use crate::config::{ApprovalRule, Config, EmergencyRule};

/// How many emergency grants a person has had of each scope in the last 24 hours.
pub type EmergenciesLately = BTreeMap<String, usize>;

/// What decides, beside the [`Facts`], whether an emergency is taken alone.
#[derive(Debug, Clone, Copy)]
pub struct EmergencyFacts<'a> {
    /// Whether an incident is named.
    pub has_incident: bool,
    /// Whether the system that keeps incidents was asked, and did not answer.
    pub incident_unchecked: bool,
    /// Whether the requester signed in as each matching rule asks for.
    pub signed_in: bool,
    /// What the requester had lately.
    pub lately: &'a EmergenciesLately,
    /// Whether a review of an earlier grant of the requester is overdue.
    pub review_overdue: bool,
}

/// How a request is taken as an emergency, fixed at its submission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedEmergency {
    /// What is in the way of its requester, sorted.
    #[serde(deserialize_with = "obstacles")]
    pub obstacles: Vec<EmergencyObstacle>,
}

fn obstacles<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<EmergencyObstacle>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?.into_iter();
    words.map(|word| EmergencyObstacle::try_from(word).map_err(D::Error::custom)).collect()
}

impl FixedEmergency {
    /// Whether its requester takes the grant without an approval.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.obstacles.is_empty()
    }

    /// Why the grant exists.
    #[must_use]
    pub fn basis(&self) -> Basis {
        match self.obstacles.iter().any(|one| asks_for_all(*one)) {
            true => Basis::Approved,
            false => Basis::Emergency,
        }
    }
}

/// Whether all rules have to be met in full, and not by one person each.
#[must_use]
pub fn asks_for_all(obstacle: EmergencyObstacle) -> bool {
    match obstacle {
        EmergencyObstacle::NoIncident
        | EmergencyObstacle::Rule
        | EmergencyObstacle::SignIn
        | EmergencyObstacle::TooLong => true,
        EmergencyObstacle::IncidentUnchecked
        | EmergencyObstacle::ReviewOverdue
        | EmergencyObstacle::TooMany => false,
    }
}

impl FixedEmergency {
    /// What is in the way of a request of these facts; nothing where it is not called an emergency, or no rule that matches it
    /// has the word: then it is a request like any other.
    #[must_use]
    pub fn of(
        config: &Config,
        directory: &dyn Directory,
        facts: &Facts<'_>,
        asked: &EmergencyFacts<'_>,
    ) -> Option<FixedEmergency> {
        let matching: Vec<&ApprovalRule> = Needs::matching(config, directory, facts).collect();
        let allowing =
            || matching.iter().filter_map(|rule| Some((*rule, rule.emergency.as_ref()?)));
        if !facts.emergency || allowing().next().is_none() {
            return None;
        }
        let has_approvers =
            |name: &String| config.scope(name).is_some_and(|scope| !scope.approvers.is_empty());
        let had_enough = |(rule, emergency): (&ApprovalRule, &EmergencyRule)| {
            let had = |name: &String| asked.lately.get(name).copied().unwrap_or_default();
            let mut scopes = facts.scopes.iter().filter(|name| rule.is_for(name));
            scopes.any(|name| had(name) >= emergency.at_most)
        };
        let is_rule = facts.scopes.iter().any(has_approvers)
            || matching.iter().any(|rule| rule.emergency.is_none());
        let too_long = allowing().any(|(_, emergency)| facts.duration_s > emergency.max_duration);
        let all = [
            (EmergencyObstacle::IncidentUnchecked, asked.incident_unchecked),
            (EmergencyObstacle::NoIncident, !asked.has_incident),
            (EmergencyObstacle::ReviewOverdue, asked.review_overdue),
            (EmergencyObstacle::Rule, is_rule),
            (EmergencyObstacle::SignIn, !asked.signed_in),
            (EmergencyObstacle::TooLong, too_long),
            (EmergencyObstacle::TooMany, allowing().any(had_enough)),
        ];
        let obstacles = all.into_iter().filter(|(_, is)| *is).map(|(obstacle, _)| obstacle);
        Some(FixedEmergency { obstacles: obstacles.collect() })
    }
}

impl Needs {
    /// What the configuration asks for, of a request with these facts whose grant has this basis: of an emergency one person of
    /// each rule that has the word for as long a grant.
    #[must_use]
    pub fn of_basis(
        basis: Basis,
        config: &Config,
        directory: &dyn Directory,
        facts: &Facts<'_>,
    ) -> Option<Needs> {
        match basis {
            Basis::Emergency => {
                Needs::by(config, directory, facts, |rule| match allows(rule, facts) {
                    true => Need::of_one(rule, facts.scopes),
                    false => Need::of(rule, facts.scopes),
                })
            }
            Basis::Approved | Basis::PreApproved => Needs::of(config, directory, facts),
        }
    }

    /// Whether a request with these facts would not wait for another rule now: each rule that was matched when `self` was fixed,
    /// and each that matches now, has the word for as long a grant.
    #[must_use]
    pub fn are_alone_still(
        &self,
        config: &Config,
        directory: &dyn Directory,
        facts: &Facts<'_>,
    ) -> bool {
        let known = |need: &Need| config.approval_rules.iter().find(|rule| need.is_of(rule));
        let are_free = facts
            .scopes
            .iter()
            .all(|name| config.scope(name).is_some_and(|scope| scope.approvers.is_empty()));
        are_free
            && self.iter().all(|need| known(need).is_some_and(|rule| allows(rule, facts)))
            && Needs::matching(config, directory, facts).all(|rule| allows(rule, facts))
    }

    /// The rules of the configuration that an emergency of these facts is under: those that were matched when `self` was fixed,
    /// and those that match now.
    pub fn emergency_rules<'c>(
        &'c self,
        config: &'c Config,
        directory: &'c dyn Directory,
        facts: &'c Facts<'c>,
    ) -> impl Iterator<Item = (&'c ApprovalRule, &'c EmergencyRule)> {
        let matching: Vec<&ApprovalRule> = Needs::matching(config, directory, facts).collect();
        let is_one = move |rule: &&ApprovalRule| {
            self.iter().any(|need| need.is_of(rule))
                || matching.iter().any(|one| one.name == rule.name)
        };
        let rules = config.approval_rules.iter().filter(is_one);
        rules.filter_map(|rule| Some((rule, rule.emergency.as_ref()?)))
    }
}

fn allows(rule: &ApprovalRule, facts: &Facts<'_>) -> bool {
    rule.emergency.as_ref().is_some_and(|emergency| facts.duration_s <= emergency.max_duration)
}
