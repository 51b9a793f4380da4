//! What a request needs, and who counts where: by trying everything.

use super::request::Yes;
use super::{Model, Person, Request, Setup};

/// What one rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub rule: Option<&'static str>,
    pub scopes: Vec<String>,
    /// Groups, each with how many people.
    pub stages: Vec<(&'static str, usize)>,
    pub in_order: bool,
}

/// Adds what is not asked for yet.
fn add(needs: &mut Vec<Need>, more: Need) {
    let same = |one: &&mut Need| {
        (one.rule, &one.stages, one.in_order) == (more.rule, &more.stages, more.in_order)
    };
    match needs.iter_mut().find(same) {
        Some(one) => {
            for scope in more.scopes {
                if !one.scopes.contains(&scope) {
                    one.scopes.push(scope);
                }
            }
        }
        None => needs.push(more),
    }
}

impl Setup {
    /// What a request for these takes, of one who held each of these for so long.
    pub(crate) fn needs(
        &self,
        scopes: &[String],
        duration_s: i64,
        held: &[(Vec<String>, i64)],
    ) -> Option<Vec<Need>> {
        let mut needs = Vec::new();
        for name in scopes {
            let approvers = self.scope(name)?.approvers;
            let scopes = vec![name.clone()];
            add(
                &mut needs,
                Need { rule: None, scopes, stages: vec![(approvers, 1)], in_order: false },
            );
        }
        for rule in &self.rules {
            let named: Vec<String> = scopes
                .iter()
                .filter(|name| rule.scopes.contains(&name.as_str()))
                .cloned()
                .collect();
            let of_rule = held
                .iter()
                .filter(|(held, _)| held.iter().any(|name| rule.scopes.contains(&name.as_str())));
            let all = duration_s + of_rule.map(|(_, seconds)| seconds).sum::<i64>();
            if !named.is_empty() && rule.over_s.is_none_or(|over| all > over) {
                let (stages, in_order) = (rule.stages.clone(), rule.in_order);
                needs.push(Need { rule: Some(rule.name), scopes: named, stages, in_order });
            }
        }
        Some(needs)
    }
}

impl Need {
    /// Of how many of these people the answer counts.
    pub(crate) fn count(&self, answers: &[(&str, Vec<&str>)]) -> usize {
        if self.in_order {
            return self.in_turn(answers).iter().map(Vec::len).sum();
        }
        self.most(answers, &mut vec![0; self.stages.len()])
    }

    /// Each person at each stage, and nowhere.
    fn most(&self, answers: &[(&str, Vec<&str>)], taken: &mut Vec<usize>) -> usize {
        let Some(((_, groups), rest)) = answers.split_first() else { return 0 };
        let mut most = self.most(rest, taken);
        for (index, (group, count)) in self.stages.iter().enumerate() {
            if groups.contains(group) && taken[index] < *count {
                taken[index] += 1;
                most = most.max(1 + self.most(rest, taken));
                taken[index] -= 1;
            }
        }
        most
    }

    fn in_turn<'a>(&self, answers: &[(&'a str, Vec<&str>)]) -> Vec<Vec<&'a str>> {
        let mut stages = vec![Vec::new(); self.stages.len()];
        for (name, groups) in answers {
            let open = (0..stages.len()).find(|index| stages[*index].len() < self.stages[*index].1);
            if let Some(open) = open.filter(|open| groups.contains(&self.stages[*open].0)) {
                stages[open].push(*name);
            }
        }
        stages
    }

    pub(crate) fn is_met(&self, answers: &[(&str, Vec<&str>)]) -> bool {
        self.count(answers) == self.stages.iter().map(|(_, count)| count).sum::<usize>()
    }

    /// Whether others come first, and this person later.
    fn is_early(&self, answers: &[(&str, Vec<&str>)], name: &str, groups: &[&str]) -> bool {
        if !self.in_order {
            return false;
        }
        let stages = self.in_turn(answers);
        let open = (0..stages.len()).find(|index| stages[*index].len() < self.stages[*index].1);
        let Some(open) = open else { return false };
        !stages.iter().flatten().any(|one| *one == name)
            && self.stages[open + 1..].iter().any(|(group, _)| groups.contains(group))
    }
}

/// Why a person's yes does not count; nothing where it does.
pub(crate) enum NoUse {
    /// No rule names the person.
    Unnamed,
    /// A rule asks others first.
    Early,
    /// Enough have said yes.
    Enough,
}

impl Model {
    /// What this person held in the last day, or waits for.
    pub(super) fn held(&self, who: &Person, now: i64) -> Vec<(Vec<String>, i64)> {
        let held = self.requests.iter().filter(|one| one.requester == who.name).filter_map(|one| {
            let (scopes, seconds, ends) = match (&one.grant, one.state(now)) {
                (None, "pending") => (&one.scopes, one.duration_s, one.lapses_at),
                (None, _) => return None,
                (Some(_), "lapsed") => return None,
                (Some(grant), _) => {
                    let revoked = grant.revoked.as_ref().map(|(_, at, _)| *at);
                    let ends = grant.expires_at.min(revoked.unwrap_or(i64::MAX));
                    (&grant.scopes, ends - grant.approved_at, ends)
                }
            };
            (ends > now - 86_400 && seconds > 0).then(|| (scopes.clone(), seconds))
        });
        held.collect()
    }

    /// What is left to be met of a request for these of its scopes; nothing where one has left the configuration.
    pub(super) fn needs_of(&self, request: &Request, scopes: &[String]) -> Option<Vec<Need>> {
        let mut needs = request.needs.clone();
        for need in self.setup.needs(&request.scopes, request.duration_s, &request.held)? {
            add(&mut needs, need);
        }
        for need in &mut needs {
            need.scopes.retain(|name| scopes.contains(name));
        }
        needs.retain(|need| !need.scopes.is_empty());
        Some(needs)
    }

    /// The approvals with the groups by which they count: those of now, since the configuration knows everybody.
    pub(super) fn answers<'a>(&'a self, approvals: &'a [Yes]) -> Vec<(&'a str, Vec<&'a str>)> {
        let groups = |name: &str| {
            let person = self.setup.people.iter().find(|person| person.name == name);
            person.map(|person| person.groups.clone()).unwrap_or_default()
        };
        approvals.iter().map(|yes| (yes.by.as_str(), groups(&yes.by))).collect()
    }

    /// Whether the yes of this person counts, after these.
    pub(super) fn counts(
        &self,
        needs: &[Need],
        answers: &[(&str, Vec<&str>)],
        who: &Person,
    ) -> Result<(), NoUse> {
        let stages = || needs.iter().flat_map(|need| &need.stages);
        if !stages().any(|(group, _)| who.groups.contains(group)) {
            return Err(NoUse::Unnamed);
        }
        let mut with = answers.to_vec();
        with.push((who.name, who.groups.clone()));
        if needs.iter().any(|need| need.is_early(&with, who.name, &who.groups)) {
            return Err(NoUse::Early);
        }
        match needs.iter().any(|need| need.count(&with) > need.count(answers)) {
            true => Ok(()),
            false => Err(NoUse::Enough),
        }
    }

    /// The people whose yes counts for a request that waits.
    pub(crate) fn open_to(&self, request: &Request) -> Vec<&'static str> {
        let Some(needs) = self.needs_of(request, &request.left().0) else { return Vec::new() };
        let answers = self.answers(&request.approvals);
        let counts = |person: &&Person| {
            person.name != request.requester
                && !answers.iter().any(|(name, _)| *name == person.name)
                && self.counts(&needs, &answers, person).is_ok()
        };
        self.setup.people.iter().filter(counts).map(|person| person.name).collect()
    }

    /// What a request that waits needs, and of how many people the yes counts.
    pub(crate) fn needed(&self, request: &Request) -> Vec<(Need, usize)> {
        let answers = self.answers(&request.approvals);
        let needs = self.needs_of(request, &request.left().0).unwrap_or_default();
        needs.into_iter().map(|need| (need.clone(), need.count(&answers))).collect()
    }

    /// Whether there are people for all of it.
    pub(super) fn can_be_met(&self, needs: &[Need], requester: &str) -> bool {
        let others = self.setup.people.iter().filter(|person| person.name != requester);
        let others: Vec<(&str, Vec<&str>)> =
            others.map(|person| (person.name, person.groups.clone())).collect();
        needs.iter().all(|need| {
            let matched = Need { in_order: false, ..need.clone() };
            matched.is_met(&others)
        })
    }
}
