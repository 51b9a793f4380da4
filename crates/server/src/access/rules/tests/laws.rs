//! Laws of rules: what more rules, more time and more answers do.

use proptest::prelude::*;

use super::super::needs::{Need, Needs};
use super::super::stages::{Answer, Filled};
use super::made_up::{
    Ask, Groups, PEOPLE, any_ask, any_groups, any_held, any_rule, config, groups_of, person,
};

/// Whether people who meet `more` meet `less` as well, rule by rule.
fn is_in(less: &Needs, more: &Needs) -> bool {
    less.iter().all(|need| {
        more.iter().any(|one| {
            (&one.rule, &one.stages, one.in_order) == (&need.rule, &need.stages, need.in_order)
                && need.scopes.iter().all(|name| one.scopes.contains(name))
        })
    })
}

/// The answers of these people, each with all groups.
struct Said(Vec<(String, Vec<String>)>);

impl Said {
    fn of(groups: &Groups, people: &[usize]) -> Said {
        Said(people.iter().map(|one| (person(*one), groups_of(groups, *one))).collect())
    }

    fn answers(&self) -> Vec<Answer<'_>> {
        self.0.iter().map(|(person, groups)| Answer { person, groups }).collect()
    }
}

fn any_people() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..PEOPLE, 0..8)
}

/// Whether each person counts once at most, and each stage has no more people than it takes, all of whom it names.
fn is_sound(filled: &Filled<'_>, answers: &[Answer<'_>]) -> bool {
    let mut people: Vec<&str> = filled.stages.iter().flatten().copied().collect();
    let all = people.len();
    people.sort_unstable();
    people.dedup();
    let mut stages = filled.need.stages.iter().zip(&filled.stages);
    people.len() == all
        && stages.all(|(stage, people)| {
            let is_named = |person: &&str| {
                let mut theirs = answers.iter().filter(|answer| answer.person == *person);
                theirs.any(|answer| answer.groups.iter().any(|group| stage.from.contains(group)))
            };
            people.len() <= stage.count && people.iter().all(is_named)
        })
}

/// Whether only the first of the stages that are not full has people besides those that are.
fn is_in_turn(filled: &Filled<'_>) -> bool {
    let stages = filled.need.stages.iter().zip(&filled.stages);
    let mut rest = stages.skip_while(|(stage, people)| people.len() == stage.count).skip(1);
    rest.all(|(_, people)| people.is_empty())
}

proptest! {
    #[test]
    fn one_more_rule_takes_nothing_from_what_is_needed(
        rules in proptest::collection::vec(any_rule(), 1..5), ask in any_ask(),
    ) {
        // The new rule is the last: the others keep their names, which are numbers.
        let less = ask.needs(&config(&rules[..rules.len() - 1]));
        let more = ask.needs(&config(&rules));
        prop_assert!(is_in(&less, &more), "{less:?} {more:?}");
    }

    #[test]
    fn to_ask_for_more_takes_nothing_from_what_is_needed(
        rules in proptest::collection::vec(any_rule(), 1..5),
        less in any_ask(), minutes in 0..100_i64, held in any_held(), all_scopes in any::<bool>(),
    ) {
        let config = config(&rules);
        let mut more = Ask { minutes: less.minutes + minutes, emergency: true, ..less.clone() };
        more.held.extend(held);
        if all_scopes {
            more.scopes = super::made_up::SCOPES.to_vec();
        }
        let (less, more) = (less.needs(&config), more.needs(&config));
        prop_assert!(is_in(&less, &more), "{less:?} {more:?}");
        let again = less.clone().and(more.clone());
        prop_assert!(is_in(&less, &again) && is_in(&more, &again));
        prop_assert_eq!(more.clone().and(less), more, "what is asked for twice counts once");
    }

    #[test]
    fn answers_count_once_and_in_their_turn(
        rules in proptest::collection::vec(any_rule(), 1..4), ask in any_ask(),
        groups in any_groups(), people in any_people(),
    ) {
        let needs = ask.needs(&config(&rules));
        let said = Said::of(&groups, &people);
        let answers = said.answers();
        let mut before: Vec<Vec<Vec<&str>>> = Vec::new();
        for length in 0..=answers.len() {
            let filled = needs.filled(&answers[..length]);
            for one in &filled {
                prop_assert!(is_sound(one, &answers[..length]), "{one:?}");
                prop_assert!(!one.need.in_order || is_in_turn(one), "{one:?}");
                prop_assert_eq!(one.is_met(), one.missing().count() == 0);
                prop_assert_eq!(one.is_met(), one.open().count() == 0);
                prop_assert!(!one.need.in_order || one.open().count() <= 1);
            }
            // Where there is an order, no person who counts is moved.
            for (one, before) in filled.iter().zip(&before).filter(|(one, _)| one.need.in_order) {
                let kept = before.iter().zip(&one.stages).all(|(old, new)| new.starts_with(old));
                prop_assert!(kept, "{before:?} {one:?}");
            }
            before = filled.into_iter().map(|one| one.stages).collect();
        }
    }

    #[test]
    fn one_more_answer_takes_nothing_from_what_is_met(
        rules in proptest::collection::vec(any_rule(), 1..4), ask in any_ask(),
        groups in any_groups(), people in any_people(), one in 0..PEOPLE, at in 0..8_usize,
    ) {
        let needs = ask.needs(&config(&rules));
        let [mut inserted, mut added] = [people.clone(), people.clone()];
        inserted.insert(at.min(people.len()), one);
        added.push(one);
        let [before, inserted, added] = [people, inserted, added].map(|people| Said::of(&groups, &people));
        for need in needs.iter() {
            let count = |said: &Said| need.filled(&said.answers()).count();
            prop_assert!(count(&added) >= count(&before));
            prop_assert!(need.in_order || count(&inserted) >= count(&before));
        }
        prop_assert!(!needs.are_met(&before.answers()) || needs.are_met(&added.answers()));
    }

    /// An answer counts where [`Filled::open`] has a stage that names its author, and nowhere else.
    #[test]
    fn an_answer_counts_in_the_stages_that_are_open(
        rules in proptest::collection::vec(any_rule(), 1..4), ask in any_ask(),
        groups in any_groups(), people in any_people(), one in 0..PEOPLE,
    ) {
        let needs = ask.needs(&config(&rules));
        let mut more = people.clone();
        more.push(one);
        let (before, after) = (Said::of(&groups, &people), Said::of(&groups, &more));
        let (name, theirs) = (person(one), groups_of(&groups, one));
        for need in needs.iter() {
            let answers = before.answers();
            let filled: Filled<'_> = Need::filled(need, &answers);
            let counts = filled.stages.iter().flatten().any(|person| *person == name);
            let is_open = filled.open().any(|stage| theirs.iter().any(|group| stage.from.contains(group)));
            let gain = need.filled(&after.answers()).count() - filled.count();
            prop_assert_eq!(gain == 1, is_open && !counts, "{:?} {}", filled, name);
        }
    }
}
