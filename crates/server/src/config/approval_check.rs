//! What is wrong with who approves: scopes that no rule is for, rules for scopes that are not there, and what the people that are
//! listed cannot come to approve.

use breakglass_config_schema::Place;

use super::approval_rules::{ApprovalRule, ApprovalStage, Conditions};
use super::{Config, Person, Scope};
use crate::duration;
use crate::matching::Matching;

/// Every scope has a source of approvers, and every rule is for scopes.
pub(super) fn check(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut clean = Some(());
    for (index, rule) in config.approval_rules.iter().enumerate() {
        let place = place.field("approval_rules").item(index).field("scopes");
        for (index, name) in rule.scopes.iter().enumerate() {
            if config.scope(name).is_none() {
                let message = format!("expected the name of an entry of `scopes`, got `{name}`");
                clean = place.item(index).error(message);
            }
        }
    }
    for (index, scope) in config.scopes.iter().enumerate() {
        let mut rules = config.rules_of(&scope.name);
        if scope.approvers.is_empty() && !rules.any(|rule| rule.when.is_none()) {
            clean = place.field("scopes").item(index).field("approvers").error(
                "is required, unless an entry of `approval_rules` without `when` names the scope: otherwise there would be requests that \
                 need no approval",
            );
        }
    }
    clean
}

/// What is valid, and what the people cannot approve who are known, in words for the operator.
pub(super) fn warnings(config: &Config) -> impl Iterator<Item = String> {
    // Where people sign in, it is not known here who is in which group.
    let is_listed = config.identity_providers.is_empty();
    let scopes = config.scopes.iter().enumerate().filter_map(move |(index, scope)| {
        let detail = match is_listed {
            true => of_scope(config, scope),
            false => no_approver(config, scope).map(str::to_owned),
        };
        detail.map(|detail| format!("scopes[{index}] (`{}`): {detail}", scope.name))
    });
    let rules = config.approval_rules.iter().enumerate().filter_map(move |(index, rule)| {
        let detail = match is_listed {
            true => of_rule(config, rule),
            false => cannot_be_met(config, rule),
        };
        detail.map(|detail| format!("approval_rules[{index}] (`{}`): {detail}", rule.name))
    });
    scopes.chain(rules).chain(never_reached(config))
}

fn of_scope(config: &Config, scope: &Scope) -> Option<String> {
    let requesters: Vec<&Person> =
        people(config).filter(|one| scope.may_be_requested_by(one)).collect();
    if requesters.is_empty() {
        return Some("nobody is in a group that may ask for it".to_owned());
    }
    let alone = match scope.approvers.is_empty() {
        true => Vec::new(),
        false => left_alone(config, &requesters, &[short_form(scope)]),
    };
    (!alone.is_empty()).then(|| format!("nobody else could approve it for {}", alone.join(", ")))
}

fn of_rule(config: &Config, rule: &ApprovalRule) -> Option<String> {
    let asks = |person: &&Person| {
        let scopes = config.scopes.iter().filter(|scope| rule.is_for(&scope.name));
        let may_match = |Conditions { requester_in, .. }: &Conditions| {
            requester_in.is_empty() || person.is_in_any(requester_in)
        };
        scopes.into_iter().any(|scope| scope.may_be_requested_by(person))
            && rule.when.as_ref().is_none_or(may_match)
    };
    let requesters: Vec<&Person> = people(config).filter(asks).collect();
    let alone = left_alone(config, &requesters, &rule.widest_need());
    (!alone.is_empty()).then(|| {
        format!(
            "it takes {}, and too few other people are in the groups of its stages for a request of {}",
            different_people(&rule.need),
            alone.join(", ")
        )
    })
}

/// Entries of `escalate` that no request reaches, because it has lapsed by then.
fn never_reached(config: &Config) -> impl Iterator<Item = String> {
    let waits = config.pending_lifetime;
    config.approval_rules.iter().enumerate().flat_map(move |(index, rule)| {
        let late = rule.escalate.iter().enumerate().filter(move |(_, one)| one.after >= waits);
        late.map(move |(entry, one)| {
            format!(
                "approval_rules[{index}] (`{}`): escalate[{entry}]: no request reaches it: `after` is {}, and a request lapses after `pending_lifetime` = {}",
                rule.name,
                duration::format(one.after),
                duration::format(waits)
            )
        })
    })
}

/// Where people sign in: that no person can come to approve the scope.
fn no_approver(config: &Config, scope: &Scope) -> Option<&'static str> {
    let detail = "no person can approve it: with `identity_providers` people approve by their sign-in, and none of them has \
         `may_approve`; of `people` those may who have `may_approve_by_token`, and none of them is in a group of its \
         `approvers`";
    let is_short = !scope.approvers.is_empty();
    (is_short && !may_meet_by_token(config, &[short_form(scope)])).then_some(detail)
}

/// Where people sign in: that they cannot come to meet the rule.
fn cannot_be_met(config: &Config, rule: &ApprovalRule) -> Option<String> {
    (!may_meet_by_token(config, &rule.widest_need())).then(|| {
        format!(
            "it takes {}: with `identity_providers` people approve by their sign-in, and none of them has `may_approve`; of \
             `people` those may who have `may_approve_by_token`, and too few of them are in the groups of its stages",
            different_people(&rule.need)
        )
    })
}

/// Whether people who sign in may approve, or those of the list who may meet these stages.
fn may_meet_by_token(config: &Config, stages: &[ApprovalStage]) -> bool {
    let listed: Vec<&Person> = people(config).filter(|one| one.may_approve_by_token).collect();
    config.identity_providers.iter().any(|one| one.may_approve) || can_meet(&listed, stages)
}

/// The requesters whose requests the other listed people cannot approve by these stages.
fn left_alone<'a>(
    config: &'a Config,
    requesters: &[&'a Person],
    stages: &[ApprovalStage],
) -> Vec<&'a str> {
    let is_asked = |one: &&Person| stages.iter().any(|stage| one.is_in_any(&stage.from));
    let asked: Vec<&Person> = people(config).filter(is_asked).collect();
    let is_alone = |requester: &&&Person| {
        let others = asked.iter().copied().filter(|one| one.name != requester.name);
        !can_meet(&others.collect::<Vec<_>>(), stages)
    };
    requesters.iter().filter(is_alone).map(|requester| requester.name.as_str()).collect()
}

/// Whether these people meet the stages, each person in one of them.
fn can_meet(people: &[&Person], stages: &[ApprovalStage]) -> bool {
    let fits = |person: usize, stage: usize| {
        let found = people.get(person).zip(stages.get(stage));
        found.is_some_and(|(person, stage)| person.is_in_any(&stage.from))
    };
    let mut matching = Matching::new(stages.iter().map(|stage| stage.count), fits);
    (0..people.len()).for_each(|person| matching.place(person));
    matching.is_full()
}

fn people(config: &Config) -> impl Iterator<Item = &Person> {
    config.people.iter().map(AsRef::as_ref)
}

fn short_form(scope: &Scope) -> ApprovalStage {
    ApprovalStage { from: scope.approvers.clone(), count: 1 }
}

fn different_people(stages: &[ApprovalStage]) -> String {
    match stages.iter().map(|stage| stage.count).sum::<usize>() {
        1 => "one person".to_owned(),
        many => format!("{many} different people"),
    }
}
