//! What answers bring of what a rule asks for.
//!
//! Without `in_order` it is a matching of people to places of stages: each person stands in one place at most, and as many places are taken
//! as can be. With it, answers count in the order in which they were given, each for the first stage that is not met yet, if
//! that stage names its author; a person whose answer came too early answers again.

use super::needs::{Need, Needs, Stage};
use crate::matching::Matching;

/// A person's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Who.
    pub person: &'a str,
    /// In which groups the person was then, of those that the rules name, and still is as far as is known.
    pub groups: &'a [String],
}

/// Who counts in each stage of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled<'a> {
    /// The rule.
    pub need: &'a Need,
    /// For each of its stages the people who count there, in the order of their first answers.
    pub stages: Vec<Vec<&'a str>>,
    /// For each of its stages whether it counts one more answer.
    open: Vec<bool>,
}

impl Needs {
    /// Who counts where. The answers are in the order in which they were given.
    #[must_use]
    pub fn filled<'a>(&'a self, answers: &[Answer<'a>]) -> Vec<Filled<'a>> {
        self.iter().map(|need| need.filled(answers)).collect()
    }

    /// Whether these answers are all that is needed. Of no needs none is met: a request that no person has to approve is not
    /// approved.
    #[must_use]
    pub fn are_met(&self, answers: &[Answer<'_>]) -> bool {
        let mut each = self.iter().map(|need| need.filled(answers).is_met()).peekable();
        each.peek().is_some() && each.all(|is_met| is_met)
    }
}

impl<'a> Filled<'a> {
    /// Whether no stage misses a person.
    #[must_use]
    pub fn is_met(&self) -> bool {
        !self.need.stages.is_empty() && self.missing().next().is_none()
    }

    /// How many people count.
    #[must_use]
    pub fn count(&self) -> usize {
        self.stages.iter().map(Vec::len).sum()
    }

    /// The stages that miss people, each with how many.
    pub fn missing(&self) -> impl Iterator<Item = (&'a Stage, usize)> {
        let stages = self.need.stages.iter().zip(&self.stages);
        stages.filter_map(|(stage, people)| match stage.places().saturating_sub(people.len()) {
            0 => None,
            more => Some((stage, more)),
        })
    }

    /// The stages that count one more answer of a person whom they name: those that miss people, and those one of whose people
    /// would move to such a stage; the first that misses people alone where there is an order.
    pub fn open(&self) -> impl Iterator<Item = &'a Stage> {
        let stages = self.need.stages.iter().zip(&self.open);
        stages.filter(|(_, is_open)| **is_open).map(|(stage, _)| stage)
    }
}

impl Stage {
    /// How many people it takes. A stage of no person would be met by nothing.
    pub(super) fn places(&self) -> usize {
        self.count.max(1)
    }

    /// Whether an answer is from a person whom it names.
    fn names(&self, answer: &Answer<'_>) -> bool {
        answer.groups.iter().any(|group| self.from.contains(group))
    }
}

impl Need {
    /// Who counts where.
    #[must_use]
    pub fn filled<'a>(&'a self, answers: &[Answer<'a>]) -> Filled<'a> {
        if self.in_order { self.in_turn(answers) } else { self.matched(answers) }
    }

    fn in_turn<'a>(&'a self, answers: &[Answer<'a>]) -> Filled<'a> {
        let mut stages: Vec<Vec<&str>> = vec![Vec::new(); self.stages.len()];
        for answer in answers {
            let is_counted = stages.iter().flatten().any(|person| *person == answer.person);
            let turn =
                self.stages.iter().zip(&mut stages).find(|(stage, there)| misses(stage, there));
            if let Some((stage, people)) = turn
                && !is_counted
                && stage.names(answer)
            {
                people.push(answer.person);
            }
        }
        let mut open: Vec<bool> =
            self.stages.iter().zip(&stages).map(|(stage, there)| misses(stage, there)).collect();
        open.iter_mut().skip_while(|is_open| !**is_open).skip(1).for_each(|later| *later = false);
        Filled { need: self, stages, open }
    }

    /// The largest matching: a later answer moves an earlier one to another stage, and takes it from none.
    fn matched<'a>(&'a self, answers: &[Answer<'a>]) -> Filled<'a> {
        let person = |index: usize| answers.get(index).map(|answer| answer.person);
        let fits = |index: usize, stage: usize| {
            let mut theirs = answers.iter().filter(|answer| Some(answer.person) == person(index));
            self.stages.get(stage).is_some_and(|stage| theirs.any(|answer| stage.names(answer)))
        };
        let mut matching = Matching::new(self.stages.iter().map(Stage::places), fits);
        for (index, answer) in answers.iter().enumerate() {
            if !answers.iter().take(index).any(|earlier| earlier.person == answer.person) {
                matching.place(index);
            }
        }
        let stages =
            matching.people().map(|people| people.into_iter().filter_map(person).collect());
        Filled { need: self, stages: stages.collect(), open: matching.open() }
    }
}

fn misses(stage: &Stage, people: &[&str]) -> bool {
    people.len() < stage.places()
}
