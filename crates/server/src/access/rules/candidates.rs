//! Who can be asked to approve.

use std::collections::HashSet;

use breakglass_audit::folded::Folded;

use super::needs::{Need, Needs, Stage};
use super::stages::Answer;
use crate::access::approvers::Approvers;
use crate::access::directory::{Directory, Members, in_any};
use crate::matching::Matching;

/// Whether there are people who could approve a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanBeMet {
    /// There are: they are known by name.
    Yes,
    /// It is certain that there are too few for this rule.
    No(Need),
    /// It is not known.
    Unknown,
}

impl Needs {
    /// Whether each rule can be met by different people who may approve for `requester`. [`CanBeMet::No`] where it is certain that
    /// one cannot, because all members are known of the groups of those of its stages that lack people.
    #[must_use]
    pub fn can_be_met(&self, directory: &dyn Directory, requester: &str) -> CanBeMet {
        let others = Others::new(directory, requester);
        let mut all = None;
        for need in self.iter() {
            match need.can_be_met(&others) {
                Some(false) => return CanBeMet::No(need.clone()),
                Some(true) => all = all.or(Some(CanBeMet::Yes)),
                None => all = Some(CanBeMet::Unknown),
            }
        }
        // No answers meet no needs.
        all.unwrap_or_else(|| CanBeMet::No(Need::default()))
    }

    /// The people whose approval would count now in one of the rules: members of a group of an open stage who do not count in
    /// that rule already, nor may be one human with a person who does. Empty where nothing is missing.
    #[must_use]
    pub fn open_to(
        &self,
        directory: &dyn Directory,
        requester: &str,
        answers: &[Answer<'_>],
    ) -> Approvers {
        let others = Others::new(directory, requester);
        let (mut names, mut is_complete) = (Vec::new(), true);
        let mut seen = HashSet::new();
        let all = self.filled(answers);
        for filled in &all {
            let counts = |name: &str| {
                let mut people = filled.stages.iter().flatten();
                people.any(|one| *one == name || directory.may_be_one(one, name))
            };
            for stage in filled.open() {
                let (members, is_all) = others.of(stage);
                is_complete &= is_all;
                let open = members.into_iter().filter(|name| !counts(name));
                names.extend(open.filter(|name| seen.insert(name.clone())));
            }
        }
        let is_in = |name: &str, group: &String| directory.is_member(name, group).is_yes();
        names.retain(|name| !all.iter().any(|one| one.is_early(name, |group| is_in(name, group))));
        match (is_complete, names.is_empty()) {
            (true, _) => Approvers::Complete(names),
            (false, false) => Approvers::Seen(names),
            (false, true) => Approvers::Unknown,
        }
    }
}

impl Need {
    /// Whether it can be met; nothing where that is not known.
    fn can_be_met(&self, others: &Others<'_>) -> Option<bool> {
        let candidates: Vec<Candidates> =
            self.stages.iter().map(|one| others.candidates(one)).collect();
        // People who are not known, in the other stages, are no help to these.
        let complete: Vec<&Candidates> = candidates.iter().filter(|one| one.is_all).collect();
        if candidates.is_empty() || !can_fill(&complete) {
            return Some(false);
        }
        can_fill(&candidates.iter().collect::<Vec<_>>()).then_some(true)
    }
}

/// The people who could be in a stage.
struct Candidates {
    places: usize,
    names: HashSet<String>,
    /// Whether there are no others.
    is_all: bool,
}

/// Whether there are different people for all places.
fn can_fill(stages: &[&Candidates]) -> bool {
    let people: HashSet<&String> = stages.iter().flat_map(|stage| &stage.names).collect();
    let people: Vec<&String> = people.into_iter().collect();
    let fits = |person: usize, stage: usize| {
        let found = people.get(person).zip(stages.get(stage));
        found.is_some_and(|(name, stage)| stage.names.contains(*name))
    };
    let mut matching = Matching::new(stages.iter().map(|stage| stage.places), fits);
    for person in 0..people.len() {
        if matching.is_full() {
            break;
        }
        matching.place(person);
    }
    matching.is_full()
}

/// The people who may approve for a requester at all.
struct Others<'a> {
    directory: &'a dyn Directory,
    requester: &'a str,
    folded: Folded,
}

impl<'a> Others<'a> {
    fn new(directory: &'a dyn Directory, requester: &'a str) -> Others<'a> {
        Others { directory, requester, folded: Folded::new(requester) }
    }

    /// Those of them who are known to be in a group of the stage, and whether there are no others.
    fn of(&self, stage: &Stage) -> (Vec<String>, bool) {
        let (mut names, is_all) = match in_any(self.directory, &stage.from) {
            Members::Complete(names) => (names, true),
            Members::Seen(names) => (names, false),
            Members::Unknown => (Vec::new(), false),
        };
        names.retain(|name| {
            !self.folded.is(name)
                && self.directory.may_approve(name)
                && !self.directory.may_be_one(self.requester, name)
        });
        (names, is_all)
    }

    fn candidates(&self, stage: &Stage) -> Candidates {
        let (names, is_all) = self.of(stage);
        Candidates { places: stage.places(), names: names.into_iter().collect(), is_all }
    }
}
