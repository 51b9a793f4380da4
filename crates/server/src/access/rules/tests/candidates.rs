//! The table `candidates.txt`: stages, and what a directory knows; whether they can be met, and whose approval would count.

use std::collections::BTreeMap;

use super::super::needs::{Need, Needs, Stage};
use super::super::{Answer, CanBeMet};
use super::{cells, owned};
use crate::access::{Approvers, Directory, Members, Membership};

const CASES: &str = include_str!("candidates.txt");

/// What is known of each group.
struct Known(BTreeMap<String, Members>);

impl Known {
    fn of(cell: &str) -> Known {
        let groups = cell.split_whitespace().map(|word| {
            let (group, names) = word.split_once('=').unwrap();
            let (names, is_all) = match names.strip_suffix('?') {
                Some(names) => (names, false),
                None => (names, true),
            };
            let people = owned(names.split(',').filter(|name| !name.is_empty()));
            let members = match (is_all, people.is_empty()) {
                (true, _) => Members::Complete(people),
                (false, false) => Members::Seen(people),
                (false, true) => Members::Unknown,
            };
            (group.to_owned(), members)
        });
        Known(groups.collect())
    }
}

impl Directory for Known {
    fn is_member(&self, _: &str, _: &str) -> Membership {
        Membership::Unknown
    }

    fn members(&self, group: &str) -> Members {
        self.0.get(group).cloned().unwrap()
    }

    fn may_approve(&self, person: &str) -> bool {
        person != "zoe"
    }

    fn may_be_one(&self, one: &str, other: &str) -> bool {
        let pair = |name: &str| name.strip_suffix('2').map(str::to_owned);
        pair(one).as_deref() == Some(other) || pair(other).as_deref() == Some(one)
    }
}

fn stage(word: &str) -> Stage {
    let from = word.trim_end_matches(|end: char| end.is_ascii_digit());
    let count = word.strip_prefix(from).and_then(|count| count.parse().ok()).unwrap_or(1);
    Stage { from: owned(from.split('+')), count }
}

fn needs(cell: &str) -> Needs {
    let rules = cell.split(',').map(|rule| {
        let (in_order, stages) = match rule.strip_prefix('>') {
            Some(stages) => (true, stages),
            None => (false, rule),
        };
        let stages = stages.split_whitespace().map(stage).collect();
        Need { rule: Some(rule.to_owned()), scopes: owned(["orders"]), stages, in_order }
    });
    rules.collect()
}

fn said(can: CanBeMet) -> String {
    match can {
        CanBeMet::Yes => "yes".to_owned(),
        CanBeMet::No(need) => format!("no {}", need.rule.unwrap().trim_start_matches('>')),
        CanBeMet::Unknown => "unknown".to_owned(),
    }
}

fn open(approvers: Approvers) -> String {
    let (mut names, end) = match approvers {
        Approvers::Complete(names) if names.is_empty() => return "none".to_owned(),
        Approvers::Complete(names) => (names, ""),
        Approvers::Seen(names) => (names, ", others"),
        Approvers::Unknown => return "unknown".to_owned(),
    };
    names.sort_unstable();
    format!("{}{end}", names.join(" "))
}

#[test]
fn who_can_be_asked_is_as_the_table_says() {
    let (mut count, mut wrong) = (0, Vec::new());
    for line in CASES.lines().filter(|line| line.contains('|') && !line.starts_with('#')) {
        let row = cells(line);
        let (directory, needs) = (Known::of(row[1]), needs(row[0]));
        let people = row[2].split_whitespace();
        let groups = |name: &str| {
            let is_in = |members: &Members| match members {
                Members::Complete(names) | Members::Seen(names) => {
                    names.iter().any(|one| one == name)
                }
                Members::Unknown => false,
            };
            let groups = directory.0.iter().filter(|(_, members)| is_in(members));
            groups.map(|(group, _)| group.clone()).collect::<Vec<_>>()
        };
        let people: Vec<(&str, Vec<String>)> = people.map(|name| (name, groups(name))).collect();
        let answers: Vec<Answer<'_>> =
            people.iter().map(|(person, groups)| Answer { person, groups }).collect();
        let found = [
            said(needs.can_be_met(&directory, "ann")),
            open(needs.open_to(&directory, "ann", &answers)),
        ];
        if found != row[3..] {
            wrong.push(format!("{line} | {}", found.join(" | ")));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "row | found:\n{}", wrong.join("\n"));
    assert!(count >= 45, "{count} cases");
}

#[test]
fn no_needs_can_be_met_by_no_person() {
    let needs = Needs::default();
    assert_eq!(needs.can_be_met(&Known::of(""), "ann"), CanBeMet::No(Need::default()));
    assert!(!needs.are_met(&[Answer { person: "bea", groups: &[] }]));
    // A database could say it.
    let none = Need { scopes: owned(["orders"]), ..Need::default() };
    assert!(!none.filled(&[Answer { person: "bea", groups: &[] }]).is_met());
    let of_nobody = Stage { from: owned(["leads"]), count: 0 };
    let need = Need { stages: vec![of_nobody], ..none };
    assert!(!need.filled(&[]).is_met());
}
