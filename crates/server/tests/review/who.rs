//! Who may sign a review: cases as data.

use std::collections::BTreeMap;

use breakglass_server::access::refused::{Part, Refused};
use breakglass_server::access::review::UnderReview;
use breakglass_server::access::rules::{Need, Needs, Stage};
use breakglass_server::access::{Access, Approvers, Directory, Members, Membership};
use breakglass_server::config::{Config, Person};

/// One case a line: what the directory knows of groups (`ops=ann,bea`; with `?` there may be others, `leads=?` is not known);
/// what the request needed (groups of stages with `+`); who held it; who answered; who wants to sign; and what the answer is.
/// `zoe` may approve nothing, and `ann2` has the mail address of `ann`.
const CASES: &str = include_str!("who.txt");

struct Known(BTreeMap<String, Members>);

impl Known {
    fn of(cell: &str) -> Known {
        let groups = cell.split_whitespace().map(|word| {
            let (group, names) = word.split_once('=').unwrap();
            let (names, is_all) = match names.strip_suffix('?') {
                Some(names) => (names, false),
                None => (names, true),
            };
            let people: Vec<String> =
                names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
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
    fn is_member(&self, person: &str, group: &str) -> Membership {
        let is_in = |names: &[String]| names.iter().any(|name| name == person);
        match self.0.get(group) {
            None => Membership::No,
            Some(Members::Complete(names) | Members::Seen(names)) if is_in(names) => {
                Membership::Yes
            }
            Some(Members::Complete(_)) => Membership::No,
            Some(Members::Seen(_) | Members::Unknown) => Membership::Unknown,
        }
    }

    fn members(&self, group: &str) -> Members {
        self.0.get(group).cloned().unwrap_or(Members::Complete(Vec::new()))
    }

    fn may_approve(&self, person: &str) -> bool {
        person != "zoe"
    }

    fn may_be_one(&self, one: &str, other: &str) -> bool {
        let pair = |name: &str| name.strip_suffix('2').map(str::to_owned);
        pair(one).as_deref() == Some(other) || pair(other).as_deref() == Some(one)
    }
}

fn person(name: &str) -> (Config, std::sync::Arc<Person>) {
    let directory = tempfile::tempdir().unwrap();
    let text = breakglass_testing::service::config(&directory);
    let config = Config::parse(&text).unwrap();
    let mut person = (*config.person("erin").unwrap()).clone();
    person.name = name.to_owned();
    (config, std::sync::Arc::new(person))
}

fn needs(cell: &str) -> Needs {
    let rules = cell.split(',').filter(|rule| !rule.is_empty()).map(|rule| {
        let stages = rule.split('+').map(|group| Stage { from: vec![group.to_owned()], count: 1 });
        let (stages, scopes) = (stages.collect(), vec!["orders".to_owned()]);
        Need { rule: Some(rule.to_owned()), scopes, stages, in_order: false }
    });
    rules.collect()
}

fn names(all: &str) -> Vec<&str> {
    all.split(',').filter(|name| !name.is_empty()).collect()
}

#[test]
fn those_who_could_have_approved_and_took_no_part() {
    let mut count = 0;
    for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [known, needed, holder, answered, who, expected, signers] = cells.as_slice() else {
            panic!("expected 7 cells: {line}")
        };
        let (directory, (config, who)) = (Known::of(known), person(who));
        let access = Access::new(&config, &directory);
        let grant = UnderReview { holder, answered: names(answered), needs: needs(needed) };
        let got = match access.check_review(&who, &grant) {
            Ok(()) => "may",
            Err(Refused::TookPart(Part::Holder)) => "holder",
            Err(Refused::TookPart(Part::Approver)) => "approver",
            Err(Refused::NotAReviewer { .. }) => "no",
            Err(Refused::MembershipUnknown) => "unknown",
            Err(other) => panic!("{line}: {other}"),
        };
        assert_eq!(got, *expected, "{line}");
        let got = match access.reviewers(&grant) {
            Approvers::Complete(names) => names.join(","),
            Approvers::Seen(names) => format!("{}?", names.join(",")),
            Approvers::Unknown => "?".to_owned(),
        };
        assert_eq!(got, *signers, "{line}");
        count += 1;
    }
    assert!(count >= 30, "{count}");
}
