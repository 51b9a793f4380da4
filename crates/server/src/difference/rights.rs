//! Who gains and loses which right, through groups.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Right};
use super::changes::Changes;
use crate::access::Directory as _;
use crate::config::{Config, GroupsByAudience, Scope};

/// The word for every environment, those without a scope among them.
const EVERY: &str = "every environment";

/// By person and right, what it is gained or lost over.
type Rights = BTreeMap<(String, Right), Vec<String>>;

/// The rights that people gain and lose.
pub(super) fn changes(old: &Config, new: &Config, names: &Changes) -> Vec<Change> {
    let (mut gained, mut lost) = (Rights::new(), Rights::new());
    let mut compare = |right: Right, over: &str, groups: (&[String], &[String])| {
        let (before, after) = (holders(old, right, groups.0), holders(new, right, groups.1));
        for (from, to, changed) in [(&before, &after, &mut gained), (&after, &before, &mut lost)] {
            for person in to.difference(from) {
                let over = over.to_owned();
                changed.entry(((*person).to_owned(), right)).or_default().push(over);
            }
        }
    };
    let scopes: BTreeSet<&str> =
        old.scopes.iter().chain(&new.scopes).map(|scope| scope.name.as_str()).collect();
    for name in scopes {
        let (before, after) = (old.scope(name), new.scope(name));
        let pair = |groups: fn(&Scope) -> &[String]| {
            (before.map_or(&[][..], groups), after.map_or(&[][..], groups))
        };
        compare(Right::Ask, name, pair(|scope| &scope.requesters));
        compare(Right::Approve, name, (&approvers(old, before), &approvers(new, after)));
    }
    for audience in audiences(old).union(&audiences(new)) {
        compare(
            Right::Stop,
            audience,
            (old.responders.over(audience), new.responders.over(audience)),
        );
    }
    compare(Right::Stop, EVERY, (every(&old.responders), every(&new.responders)));
    compare(Right::Audit, "", (&old.auditors, &new.auditors));
    let change = |gained: bool| {
        move |((person, right), over): ((String, Right), Vec<String>)| Change::Right {
            person,
            right,
            over,
            gained,
        }
    };
    // Of a person who is gone, that they are gone says all of it.
    lost.retain(|(person, _), _| !names.people.removed.contains(person));
    let lost = lost.into_iter().map(change(false));
    gained.into_iter().map(change(true)).chain(lost).collect()
}

/// The listed people who have a right by these groups.
fn holders<'a>(config: &'a Config, right: Right, groups: &[String]) -> BTreeSet<&'a str> {
    let members = groups.iter().flat_map(|group| config.people.in_group(group));
    let may = |name: &&str| right != Right::Approve || config.may_approve(name);
    members.map(String::as_str).filter(may).collect()
}

/// The groups whose members have a part in approving the scope: those of its own, and of rules that name it.
fn approvers(config: &Config, scope: Option<&Scope>) -> Vec<String> {
    scope.map(|scope| config.approver_groups(scope).cloned().collect()).unwrap_or_default()
}

fn audiences(config: &Config) -> BTreeSet<&str> {
    let of_scopes = config.scopes.iter().map(|scope| &scope.audience);
    of_scopes.chain(config.responders.audiences()).map(String::as_str).collect()
}

fn every(responders: &GroupsByAudience) -> &[String] {
    match responders {
        GroupsByAudience::Every(groups) => groups,
        GroupsByAudience::Each(_) => &[],
    }
}
