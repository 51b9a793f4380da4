//! Whose turn it is not yet, in rules with an order.

use super::stages::Filled;

impl Filled<'_> {
    /// Whether this rule asks others first, and afterwards the person: a person answers once, and an answer that is given now
    /// would not count here. `is_in` says in which groups the person is.
    #[must_use]
    pub fn is_early(&self, person: &str, is_in: impl Fn(&String) -> bool) -> bool {
        let counts = self.stages.iter().flatten().any(|one| *one == person);
        let mut stages = self.need.stages.iter().zip(&self.stages);
        let open = stages.by_ref().find(|(stage, people)| people.len() < stage.places());
        let Some((open, _)) = open.filter(|_| self.need.in_order && !counts) else { return false };
        let mut later = stages.flat_map(|(stage, _)| &stage.from);
        !open.from.iter().any(&is_in) && later.any(is_in)
    }
}
