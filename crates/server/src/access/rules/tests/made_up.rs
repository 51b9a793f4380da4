//! Made-up rules and requests.

use proptest::prelude::*;

use super::super::{CanBeMet, Facts, HeldTime, Needs};
use super::owned;
use crate::access::{Directory, Members, Membership};
use crate::clock::Moment;
use crate::config::Config;

pub(super) const SCOPES: [&str; 3] = ["orders", "refunds", "db"];

pub(super) const GROUPS: [&str; 4] = ["leads", "security", "dbas", "owners"];

/// How many people there are who could approve.
pub(super) const PEOPLE: usize = 5;

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) scopes: Vec<&'static str>,
    pub(super) stages: Vec<(Vec<&'static str>, usize)>,
    pub(super) in_order: bool,
    pub(super) over_min: Option<i64>,
    pub(super) emergency: bool,
    /// It is for requests of the night alone.
    pub(super) at_night: bool,
}

fn some(names: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(names, 1..=names.len())
}

pub(super) fn any_rule() -> impl Strategy<Value = Rule> {
    let stages = proptest::collection::vec((some(&GROUPS), 1..=2_usize), 1..=3);
    let over_min = proptest::option::of(1..120_i64);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (some(&SCOPES), stages, over_min, flags).prop_map(
        |(scopes, stages, over_min, (in_order, emergency, at_night))| Rule {
            scopes,
            stages,
            in_order,
            over_min,
            emergency,
            at_night,
        },
    )
}

/// The configuration with these rules, in which all scopes have approvers of their own.
pub(super) fn config(rules: &[Rule]) -> Config {
    let scopes = SCOPES.iter().zip(["['leads']", "['leads', 'owners']", "['dbas']"]);
    let scopes = scopes.map(|(name, approvers)| {
        format!(
            "[[scopes]]\nname = '{name}'\naudience = 'prod'\nrequesters = ['oncall']\n\
             approvers = {approvers}\nmax_duration = '1day'\n"
        )
    });
    let rules = rules.iter().enumerate().map(|(index, rule)| {
        let stages = rule.stages.iter().map(|(from, count)| format!("{{ from = {from:?}, count = {count} }}"));
        let over = rule.over_min.map(|minutes| format!("duration_over = '{minutes}m'"));
        let when = over.into_iter().chain(rule.emergency.then(|| "emergency = true".to_owned()));
        let night = "between = { hours = '22:00-06:00', zone = 'UTC' }".to_owned();
        let when = when.chain(rule.at_night.then_some(night));
        let when = when.collect::<Vec<_>>().join(", ");
        let when = if when.is_empty() { when } else { format!("when = {{ {when} }}\n") };
        format!(
            "[[approval_rules]]\nname = 'rule{index}'\nscopes = {:?}\nneed = [{}]\nin_order = {}\n{when}",
            rule.scopes,
            stages.collect::<Vec<_>>().join(", "),
            rule.in_order,
        )
    });
    let text = format!(
        "listen = '127.0.0.1:0'\nissuer = 'https://approvals.test'\ndatabase = 'd'\nkey_directory = 'k'\n\
         [[people]]\nname = 'ann'\ntoken_sha256 = '{:064x}'\ngroups = ['oncall']\n{}{}",
        1,
        scopes.collect::<String>(),
        rules.collect::<String>(),
    );
    Config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) scopes: Vec<&'static str>,
    pub(super) minutes: i64,
    pub(super) held: Vec<(Vec<&'static str>, i64)>,
    pub(super) emergency: bool,
    pub(super) at_night: bool,
}

/// Noon of a day.
const NOON: i64 = 1_795_003_200;

impl Ask {
    pub(super) fn needs(&self, config: &Config) -> Needs {
        let held = self.held.iter().map(|(scopes, minutes)| HeldTime {
            scopes: owned(scopes.iter().copied()),
            seconds: minutes * 60,
        });
        let facts = Facts {
            requester: "ann",
            scopes: &owned(self.scopes.iter().copied()),
            duration_s: self.minutes * 60,
            held: &held.collect::<Vec<_>>(),
            emergency: self.emergency,
            submitted_at: Moment::from_seconds(NOON + if self.at_night { 12 * 3600 } else { 0 }),
        };
        Needs::of(config, config, &facts).unwrap()
    }
}

pub(super) fn any_held() -> impl Strategy<Value = Vec<(Vec<&'static str>, i64)>> {
    proptest::collection::vec((some(&SCOPES), 0..90_i64), 0..3)
}

pub(super) fn any_ask() -> impl Strategy<Value = Ask> {
    (some(&SCOPES), 1..150_i64, any_held(), any::<bool>(), any::<bool>()).prop_map(
        |(scopes, minutes, held, emergency, at_night)| Ask {
            scopes,
            minutes,
            held,
            emergency,
            at_night,
        },
    )
}

/// Which of the groups each person is in.
pub(super) type Groups = [[bool; GROUPS.len()]; PEOPLE];

pub(super) fn any_groups() -> impl Strategy<Value = Groups> {
    proptest::array::uniform5(proptest::array::uniform4(any::<bool>()))
}

pub(super) fn person(index: usize) -> String {
    format!("p{index}")
}

/// The groups of a person, by name.
pub(super) fn groups_of(groups: &Groups, index: usize) -> Vec<String> {
    let named = GROUPS.iter().zip(&groups[index]);
    owned(named.filter(|(_, is_in)| **is_in).map(|(name, _)| *name))
}

/// Some of the people alone: those whose bit is set.
struct Few<'a>(&'a Groups, u32);

impl Directory for Few<'_> {
    fn is_member(&self, _: &str, _: &str) -> Membership {
        Membership::Unknown
    }

    fn members(&self, group: &str) -> Members {
        let group = GROUPS.iter().position(|one| *one == group).unwrap();
        let is_in = |index: &usize| self.1 & (1 << index) != 0 && self.0[*index][group];
        Members::Complete((0..PEOPLE).filter(is_in).map(person).collect())
    }
}

/// Whether the approval of some of the people (those whose bit is set) is enough.
pub(super) fn is_enough(needs: &Needs, groups: &Groups, people: u32) -> bool {
    needs.can_be_met(&Few(groups, people), "ann") == CanBeMet::Yes
}
