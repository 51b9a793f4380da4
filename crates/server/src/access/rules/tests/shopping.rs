//! A requester who splits a request into several needs no fewer people for all of them than for the whole.
//!
//! A request is split by time, by scope and by both at once, into two to four that are submitted within 24 hours, in any
//! sequence. People who approve all of them can approve the whole: as it would be asked for when the last of them is, because
//! what a person held before falls out of the 24 hours by waiting, split or not. A rule for some hours is compared with the whole
//! as it would be asked for when the last part is that names a scope of the rule: who asks for a scope before the hours begin, and
//! for all others within them, is asked for less than who asks for all within them.

use proptest::prelude::*;

use super::super::needs::{Need, Needs};
use super::made_up::{Ask, Groups, PEOPLE, Rule, any_ask, any_groups, any_rule, config, is_enough};
use crate::config::Config;

/// How a request is split: into one or two blocks of scopes, each into one or two pieces of time, and in which sequence these are
/// asked for; in which of them what was held before still counts.
#[derive(Debug, Clone)]
struct Split {
    /// How many of the scopes are in the first block; the rest is in the second.
    first_block: usize,
    /// How many hundredths of the time the first piece of each block has.
    first_piece: [i64; 2],
    sequence: Vec<usize>,
    /// For each entry of what was held before: in how many of the parts it still counts.
    counts_in: [usize; 3],
    /// Which of the parts are asked for at night.
    nights: [bool; 4],
}

fn any_split() -> impl Strategy<Value = Split> {
    let sequence = Just(vec![0, 1, 2, 3]).prop_shuffle();
    let counts_in = proptest::array::uniform3(0..=4_usize);
    let nights = proptest::array::uniform4(any::<bool>());
    (0..=3_usize, [0..=100_i64, 0..=100_i64], sequence, counts_in, nights).prop_map(
        |(first_block, first_piece, sequence, counts_in, nights)| Split {
            first_block,
            first_piece,
            sequence,
            counts_in,
            nights,
        },
    )
}

/// What was held before that counts still when the part with this number, from 0, is asked for.
fn held_at(whole: &Ask, split: &Split, number: usize) -> Vec<(Vec<&'static str>, i64)> {
    let each = whole.held.iter().zip(split.counts_in);
    each.filter(|(_, counts_in)| number < *counts_in).map(|(held, _)| held.clone()).collect()
}

/// The parts in their sequence, each with those before it as held; and the whole as it is asked for with the last of them.
fn parts(whole: &Ask, split: &Split) -> (Vec<Ask>, Ask) {
    let blocks = whole.scopes.split_at(split.first_block.min(whole.scopes.len()));
    let pieces =
        [blocks.0, blocks.1].into_iter().zip(split.first_piece).flat_map(|(scopes, share)| {
            let first = whole.minutes * share / 100;
            [(scopes.to_vec(), first), (scopes.to_vec(), whole.minutes - first)]
        });
    let pieces: Vec<_> = pieces.collect();
    let asked = split.sequence.iter().map(|index| pieces[*index].clone());
    let asked = asked.filter(|(scopes, minutes)| !scopes.is_empty() && *minutes > 0);
    let asked: Vec<_> = asked.collect();
    let parts = asked.iter().enumerate().map(|(number, (scopes, minutes))| {
        let mut held = held_at(whole, split, number);
        held.extend(asked[..number].iter().cloned());
        let at_night = split.nights[number];
        Ask { scopes: scopes.clone(), minutes: *minutes, held, at_night, ..whole.clone() }
    });
    let held = held_at(whole, split, asked.len() - 1);
    (parts.collect(), Ask { held, ..whole.clone() })
}

/// What the whole takes by each rule at the time of the last part that names a scope of the rule, and by the approvers of its
/// scopes.
fn needs_of_whole(config: &Config, rules: &[Rule], parts: &[Ask], whole: &Ask) -> Needs {
    let [day, night] =
        [false, true].map(|at_night| Ask { at_night, ..whole.clone() }.needs(config));
    let is_last_at_night = |rule: &Rule| {
        let names = |part: &&Ask| part.scopes.iter().any(|name| rule.scopes.contains(name));
        parts.iter().rev().find(names).is_some_and(|part| part.at_night)
    };
    let counts = |need: &&Need| {
        let number = need.rule.as_ref().and_then(|name| name.strip_prefix("rule"));
        let rule = number.map(|number| &rules[number.parse::<usize>().unwrap()]);
        rule.is_none_or(|rule| !rule.at_night || is_last_at_night(rule))
    };
    // At night the rules match that match by day, and those of the night.
    assert!(day.iter().all(|need| night.iter().any(|one| one == need)));
    night.iter().filter(counts).cloned().collect()
}

/// How few people are enough, if all of them are.
fn fewest(groups: &Groups, is_enough: impl Fn(&Groups, u32) -> bool) -> Option<u32> {
    let sets = (0..1_u32 << PEOPLE).filter(|people| is_enough(groups, *people));
    sets.map(u32::count_ones).min()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_request_in_parts_needs_no_fewer_people_than_the_whole(
        rules in proptest::collection::vec(any_rule(), 0..4),
        whole in any_ask(), split in any_split(), groups in any_groups(),
    ) {
        let config = config(&rules as &[Rule]);
        let (parts, whole) = parts(&whole, &split);
        let whole = needs_of_whole(&config, &rules, &parts, &whole);
        let parts: Vec<_> = parts.iter().map(|part| part.needs(&config)).collect();
        let of_parts = |groups: &Groups, people| {
            parts.iter().all(|needs| is_enough(needs, groups, people))
        };
        for people in 0..1_u32 << PEOPLE {
            let is_evasion = of_parts(&groups, people) && !is_enough(&whole, &groups, people);
            prop_assert!(!is_evasion, "people {people:05b}, whole {whole:?}, parts {parts:?}");
        }
        let all = fewest(&groups, |groups, people| is_enough(&whole, groups, people));
        if let Some(parts) = fewest(&groups, of_parts) {
            prop_assert!(all.is_some_and(|all| all <= parts), "{all:?} {parts}");
        }
    }
}

#[test]
fn what_is_split_into_pieces_under_the_bound_is_over_it_with_the_last() {
    let rules = [made_up_rule()];
    let config = config(&rules);
    let ask = |minutes, held| Ask {
        scopes: vec!["orders"],
        minutes,
        held,
        emergency: false,
        at_night: false,
    };
    let count = |ask: Ask| ask.needs(&config).iter().count();
    assert_eq!(count(ask(58, Vec::new())), 2, "the whole");
    assert_eq!(count(ask(29, Vec::new())), 1, "the first half");
    assert_eq!(count(ask(29, vec![(vec!["orders"], 29)])), 2, "the second half");
    assert_eq!(count(ask(29, vec![(vec!["db"], 29)])), 1, "a scope of no rule");
}

/// Two people of security for orders and refunds for over half an hour.
fn made_up_rule() -> Rule {
    Rule {
        scopes: vec!["orders", "refunds"],
        stages: vec![(vec!["security"], 2)],
        in_order: false,
        over_min: Some(30),
        emergency: false,
        at_night: false,
    }
}
