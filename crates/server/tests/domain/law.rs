//! No request comes to be approved without the people whom the configuration asks for: a law of its own, which knows nothing of how
//! the service or the reference come to an answer. It looks at what an auditor sees, and tries every way in which the people who
//! approved could stand in the stages.
//!
//! It asks for what holds of every configuration of [`crate::action::Reload`]: these take people out of groups, scopes and the
//! service, and put none in, and change no rule. Time that was held before is left to the reference.

use breakglass_server::duration;
use serde_json::Value;

use crate::model::Setup;

/// Looks at all requests.
pub(crate) fn holds(views: &[Value]) {
    let setup = Setup::first();
    for view in views {
        if let Some(grant) = view.get("grant") {
            assert!(is_lawful(&setup, view, grant), "{view:#}");
        }
    }
}

fn is_lawful(setup: &Setup, view: &Value, grant: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list =
        |value: &Value| -> Vec<String> { value.as_array().unwrap().iter().map(text).collect() };
    let approvals = grant["approvals"].as_array().unwrap();
    let people: Vec<String> = approvals.iter().map(|one| text(&one["by"])).collect();
    let is_twice = (1..people.len()).any(|index| people[..index].contains(&people[index]));
    if is_twice || people.contains(&text(&view["requester"])) {
        return false;
    }
    let granted = list(&grant["scopes"]);
    let seconds = duration::parse(view["duration"].as_str().unwrap()).unwrap();
    let is_asked = list(&view["scopes"]);
    let groups = |name: &String| {
        let person = setup.people.iter().find(|person| person.name == name).unwrap();
        person.groups.clone()
    };
    let groups: Vec<Vec<&str>> = people.iter().map(groups).collect();
    let of_scopes =
        granted.iter().map(|name| (vec![(setup.scope(name).unwrap().approvers, 1)], false));
    let rules = setup.rules.iter().filter(|rule| {
        granted.iter().any(|name| rule.scopes.contains(&name.as_str()))
            && rule.over_s.is_none_or(|over| seconds > over)
    });
    let of_rules = rules.map(|rule| (rule.stages.clone(), rule.in_order));
    granted.iter().all(|name| is_asked.contains(name))
        && !granted.is_empty()
        && of_scopes.chain(of_rules).all(|(stages, in_order)| match in_order {
            true => are_filled_in_order(&stages, &groups),
            false => are_filled(&stages, &groups),
        })
}

/// Whether some way of putting each person into one stage, or into none, fills all.
fn are_filled(stages: &[(&str, usize)], people: &[Vec<&str>]) -> bool {
    let Some((groups, rest)) = people.split_first() else {
        return stages.iter().all(|(_, count)| *count == 0);
    };
    let here = (0..stages.len()).any(|index| {
        let mut stages = stages.to_vec();
        let fits = stages[index].1 > 0 && groups.contains(&stages[index].0);
        stages[index].1 = stages[index].1.saturating_sub(1);
        fits && are_filled(&stages, rest)
    });
    here || are_filled(stages, rest)
}

/// The same where some way puts no person into a stage before those of the stages before it.
fn are_filled_in_order(stages: &[(&str, usize)], people: &[Vec<&str>]) -> bool {
    let Some(((group, count), later)) = stages.split_first() else { return true };
    if *count == 0 {
        return are_filled_in_order(later, people);
    }
    let Some((groups, rest)) = people.split_first() else { return false };
    let mut left = stages.to_vec();
    left[0].1 -= 1;
    groups.contains(group) && are_filled_in_order(&left, rest) || are_filled_in_order(stages, rest)
}

/// The law itself can be broken.
#[test]
fn the_law_knows_what_is_unlawful() {
    let stages = [("commanders", 2), ("dbas", 1)];
    let of = |names: &[&str]| -> Vec<Vec<&'static str>> {
        let setup = Setup::first();
        let person =
            |name: &&str| setup.people.iter().find(|one| one.name == *name).unwrap().groups.clone();
        names.iter().map(person).collect()
    };
    for (people, any, in_order) in [
        (&["bob", "carol", "dave"][..], true, true),
        (&["bob", "carol", "frank"], true, true),
        (&["bob", "frank", "dave"], true, true),
        (&["dave", "bob", "carol"], true, false),
        (&["frank", "bob", "carol"], true, false),
        (&["bob", "carol"], false, false),
        (&["bob", "frank"], false, false),
        (&["bob", "dave", "erin"], false, false),
        (&[], false, false),
    ] {
        let groups = of(people);
        assert_eq!(are_filled(&stages, &groups), any, "{people:?}");
        assert_eq!(are_filled_in_order(&stages, &groups), in_order, "{people:?}");
    }
}
