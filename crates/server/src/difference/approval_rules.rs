//! Approval rules, before and after: whether requests need more approvals, or fewer.

use std::collections::BTreeSet;

use super::change::Change;
use super::changes::Entries;
use super::effect::Effect;
use super::{emergency, review};
use crate::config::{ApprovalRule, ApprovalStage, Conditions, Config, Escalation};
use crate::duration;
use crate::matching::Matching;

/// The changes of all rules. A rule asks for approvals, so that one that goes counts as a right that is granted.
pub(super) fn entries(old: &Config, new: &Config, entries: &Entries) -> Vec<Change> {
    let rule = |config: &'_ Config, name: &str| {
        config.approval_rules.iter().find(|rule| rule.name == name).cloned()
    };
    let Entries { added, removed, changed } = entries;
    let comes = added.iter().filter_map(|name| rule(new, name)).map(|rule| (rule, true));
    let goes = removed.iter().filter_map(|name| rule(old, name)).map(|rule| (rule, false));
    let mut all = Vec::new();
    for (rule, is_new) in comes.chain(goes) {
        let (effect, words) = whole(&rule, is_new);
        all.push(Change::named(&rule.name, effect, words));
        let alone = emergency::changes(None, rule.emergency.as_ref()).into_iter();
        let alone = alone.filter(|_| is_new);
        all.extend(alone.map(|(effect, words)| Change::named(&rule.name, effect, words)));
    }
    for (before, after) in changed.iter().filter_map(|name| rule(old, name).zip(rule(new, name))) {
        let of_rule = changes(&before, &after).into_iter();
        all.extend(of_rule.map(|(effect, words)| Change::named(&after.name, effect, words)));
    }
    all
}

/// The changes of a rule: what each does to rights, and in words that follow the rule's name.
fn changes(old: &ApprovalRule, new: &ApprovalRule) -> Vec<(Effect, String)> {
    // Taken apart by name, so that a new field has to be put in its place here.
    let ApprovalRule { name: _, scopes, need, in_order, escalate, when, emergency, review } = new;
    let mut changes = Vec::new();
    let words = ["is also for", "is no longer for"];
    changes.extend(members(&old.scopes, scopes, words));
    if old.need != *need {
        let words = format!("needs {}, before {}", said(need), said(&old.need));
        changes.push((of_stages(&old.need, need), words));
    }
    match (old.in_order, in_order) {
        (false, true) => changes
            .push((Effect::TakesAway, "counts approvals in the order of its stages".to_owned())),
        (true, false) => changes.push((Effect::Grants, "counts approvals in any order".to_owned())),
        (false, false) | (true, true) => {}
    }
    if old.escalate != *escalate {
        let words = format!(
            "is escalated to {}, before to {}",
            escalated(escalate),
            escalated(&old.escalate)
        );
        let effect = if escalate.is_empty() { Effect::TakesAway } else { Effect::Grants };
        changes.push((effect, words));
    }
    match (&old.when, when) {
        (None, Some(_)) => changes.push((Effect::Grants, "matches on conditions only".to_owned())),
        (Some(_), None) => changes.push((Effect::TakesAway, "matches always".to_owned())),
        (Some(old), Some(new)) => changes.extend(of_conditions(old, new)),
        (None, None) => {}
    }
    changes.extend(emergency::changes(old.emergency.as_ref(), emergency.as_ref()));
    changes.extend(review::changes(old.review.as_ref(), review.as_ref()));
    changes
}

/// What a rule does that is new, or gone, in words that follow its name.
fn whole(rule: &ApprovalRule, is_new: bool) -> (Effect, String) {
    let (effect, comes) = match is_new {
        true => (Effect::TakesAway, "is a new approval rule:"),
        false => (Effect::Grants, "is an approval rule no longer:"),
    };
    let when = if rule.when.is_some() { "on conditions " } else { "" };
    (effect, format!("{comes} {when}{} for {}", said(&rule.need), rule.scopes.join(", ")))
}

/// What a rule is for now and was not before, and the reverse: more of it asks for more approvals.
fn members<'a>(
    old: &'a [String],
    new: &'a [String],
    [gains, loses]: [&'a str; 2],
) -> impl Iterator<Item = (Effect, String)> {
    let only = |one: &[String], other: &[String]| {
        let names: Vec<String> = one.iter().filter(|name| !other.contains(name)).cloned().collect();
        names.join(", ")
    };
    let lists =
        [(Effect::TakesAway, gains, only(new, old)), (Effect::Grants, loses, only(old, new))];
    let lists = lists.into_iter().filter(|(_, _, names)| !names.is_empty());
    lists.map(|(effect, words, names)| (effect, format!("{words} {names}")))
}

/// Which of two lists of stages takes more people cannot always be told.
fn of_stages(old: &[ApprovalStage], new: &[ApprovalStage]) -> Effect {
    match (covers(old, new), covers(new, old)) {
        (true, true) => Effect::Neutral,
        (true, false) => Effect::TakesAway,
        (false, _) => Effect::Grants,
    }
}

/// Whether people who meet the stages `new` also meet `old`: each old stage has a new one of its own that takes as many people,
/// or more, of the same groups or of some of them.
fn covers(old: &[ApprovalStage], new: &[ApprovalStage]) -> bool {
    let fits = |by: usize, stage: usize| {
        new.get(by).zip(old.get(stage)).is_some_and(|(by, stage)| {
            by.count >= stage.count && by.from.iter().all(|group| stage.from.contains(group))
        })
    };
    let mut matching = Matching::new(old.iter().map(|_| 1), fits);
    (0..new.len()).for_each(|by| matching.place(by));
    matching.is_full()
}

fn of_conditions(old: &Conditions, new: &Conditions) -> Vec<(Effect, String)> {
    let Conditions { duration_over, emergency, requester_in, between } = new;
    let mut changes = Vec::new();
    let says = |seconds: Option<i64>| match seconds {
        Some(seconds) => format!("time over {}", duration::format(seconds)),
        None => "any time".to_owned(),
    };
    if old.duration_over != *duration_over {
        // Without a bound it matches each request.
        let is_more = duration_over.unwrap_or(0) < old.duration_over.unwrap_or(0);
        let words =
            format!("is for {}, before for {}", says(*duration_over), says(old.duration_over));
        changes.push((matches_more(is_more), words));
    }
    if old.emergency != *emergency {
        let words =
            if *emergency { "is for emergencies only" } else { "is not for emergencies only" };
        changes.push((matches_more(!emergency), words.to_owned()));
    }
    match (old.requester_in.is_empty(), requester_in.is_empty()) {
        (true, false) => changes.push((
            Effect::Grants,
            format!("is for requesters in {} only", requester_in.join(", ")),
        )),
        (false, true) => changes.push((Effect::TakesAway, "is for all requesters".to_owned())),
        _ => {
            let words = ["is also for requesters in", "is no longer for requesters in"];
            changes.extend(members(&old.requester_in, requester_in, words));
        }
    }
    match (&old.between, between) {
        (Some(_), None) => {
            changes.push((Effect::TakesAway, "is for all dates, days and hours".to_owned()))
        }
        (None, Some(_)) => {
            changes.push((Effect::Grants, "is for some dates, days or hours only".to_owned()))
        }
        (old, new) if old != new => {
            changes.push((Effect::Grants, "is for other dates, days or hours".to_owned()))
        }
        _ => {}
    }
    changes
}

/// A rule that matches more requests takes away.
fn matches_more(is_more: bool) -> Effect {
    if is_more { Effect::TakesAway } else { Effect::Grants }
}

/// The escalation in words: `no group` or `security after 5m, dbas or leads after 1h`.
fn escalated(entries: &[Escalation]) -> String {
    let each = entries.iter().map(|Escalation { after, to, between }| {
        let hours = if between.is_some() { " at some hours" } else { "" };
        format!("{} after {}{hours}", to.join(" or "), duration::format(*after))
    });
    match entries.is_empty() {
        true => "no group".to_owned(),
        false => each.collect::<Vec<_>>().join(", "),
    }
}

/// The stages in words: `1 of payments-leads and 2 of security or dbas`.
fn said(stages: &[ApprovalStage]) -> String {
    let each = stages.iter().map(|ApprovalStage { from, count }| {
        let from: BTreeSet<&str> = from.iter().map(String::as_str).collect();
        format!("{count} of {}", from.into_iter().collect::<Vec<_>>().join(" or "))
    });
    each.collect::<Vec<_>>().join(" and ")
}
