//! Which rules a request has to meet.

use serde::{Deserialize, Serialize};

use super::conditions;
use super::facts::Facts;
use crate::access::directory::Directory;
use crate::config::{ApprovalRule, ApprovalStage, Config};

/// People one of whose groups is in `from`: so many of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Groups.
    pub from: Vec<String>,
    /// How many people.
    pub count: usize,
}

/// What one rule asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The rule's name; none for the `approvers` of scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The scopes of the request that it is for.
    pub scopes: Vec<String>,
    /// Its stages; never empty.
    pub stages: Vec<Stage>,
    /// Whether a stage counts answers only once the stages before it are met.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_order: bool,
}

/// All that a request needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Needs(Vec<Need>);

impl Needs {
    /// What the configuration asks for, of a request with these facts: nothing where one of its scopes is unknown, or no rule is
    /// for it, because then no person may approve it.
    #[must_use]
    pub fn of(config: &Config, directory: &dyn Directory, facts: &Facts<'_>) -> Option<Needs> {
        Needs::by(config, directory, facts, |rule| Need::of(rule, facts.scopes))
    }

    /// The same, where each rule that matches asks for what `need` says.
    pub(super) fn by(
        config: &Config,
        directory: &dyn Directory,
        facts: &Facts<'_>,
        need: impl Fn(&ApprovalRule) -> Need,
    ) -> Option<Needs> {
        let mut needs = Needs::default();
        for name in facts.scopes {
            let scope = config.scope(name)?;
            if !scope.approvers.is_empty() {
                let stages = vec![Stage { from: scope.approvers.clone(), count: 1 }];
                needs.add(Need { rule: None, scopes: vec![name.clone()], stages, in_order: false });
            }
        }
        for rule in Needs::matching(config, directory, facts) {
            needs.add(need(rule));
        }
        let is_asked_for = |name| needs.iter().any(|need| need.scopes.contains(name));
        let all = !facts.scopes.is_empty() && facts.scopes.iter().all(is_asked_for);
        all.then_some(needs)
    }

    /// The rules that are for a scope of a request with these facts, and whose conditions hold.
    pub(super) fn matching<'c>(
        config: &'c Config,
        directory: &dyn Directory,
        facts: &Facts<'_>,
    ) -> impl Iterator<Item = &'c ApprovalRule> {
        let rules = config.approval_rules.iter();
        let is_for = |rule: &&ApprovalRule| facts.scopes.iter().any(|name| rule.is_for(name));
        rules.filter(is_for).filter(|rule| conditions::hold(rule, directory, facts))
    }

    /// Both: what is asked for twice counts once.
    #[must_use]
    pub fn and(mut self, other: Needs) -> Needs {
        other.0.into_iter().for_each(|need| self.add(need));
        self
    }

    /// What is left of them for a request for these scopes alone.
    #[must_use]
    pub fn of_scopes(&self, scopes: &[String]) -> Needs {
        let left = self.0.iter().map(|need| {
            let kept = need.scopes.iter().filter(|name| scopes.contains(name)).cloned().collect();
            Need { scopes: kept, ..need.clone() }
        });
        left.collect()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Need> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Need> {
        self.0.iter_mut()
    }

    /// Every group that a stage names, with repetitions.
    pub fn groups(&self) -> impl Iterator<Item = &String> {
        self.0.iter().flat_map(|need| &need.stages).flat_map(|stage| &stage.from)
    }

    /// A rule that is for none of the scopes asks for nothing.
    fn add(&mut self, need: Need) {
        if need.scopes.is_empty() {
            return;
        }
        let same = self.0.iter_mut().find(|one| {
            one.rule == need.rule && one.stages == need.stages && one.in_order == need.in_order
        });
        match same {
            Some(one) => {
                let more = need.scopes.into_iter().filter(|name| !one.scopes.contains(name));
                let more: Vec<String> = more.collect();
                one.scopes.extend(more);
            }
            None => self.0.push(need),
        }
    }
}

impl FromIterator<Need> for Needs {
    fn from_iter<I: IntoIterator<Item = Need>>(each: I) -> Needs {
        let mut needs = Needs::default();
        each.into_iter().for_each(|need| needs.add(need));
        needs
    }
}

impl Need {
    /// What a rule asks for, of those of these scopes that it is for.
    pub(super) fn of(rule: &ApprovalRule, scopes: &[String]) -> Need {
        let scopes = scopes.iter().filter(|name| rule.is_for(name)).cloned().collect();
        let stage = |ApprovalStage { from, count }: &ApprovalStage| Stage {
            from: from.clone(),
            count: *count,
        };
        let stages = rule.need.iter().map(stage).collect();
        Need { rule: Some(rule.name.clone()), scopes, stages, in_order: rule.in_order }
    }

    /// The same where one person of any of its groups is enough.
    pub(super) fn of_one(rule: &ApprovalRule, scopes: &[String]) -> Need {
        let mut from: Vec<String> = rule.groups().cloned().collect();
        from.sort_unstable();
        from.dedup();
        Need { stages: vec![Stage { from, count: 1 }], in_order: false, ..Need::of(rule, scopes) }
    }

    /// Whether it is what this rule asks for.
    pub(super) fn is_of(&self, rule: &ApprovalRule) -> bool {
        self.rule.as_ref() == Some(&rule.name)
    }
}
