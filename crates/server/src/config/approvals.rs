//! By what a scope is approved: its own `approvers`, and the rules that name it.

use super::approval_rules::ApprovalRule;
use super::{Config, Scope};

impl Config {
    /// The rule called `name`.
    #[must_use]
    pub fn approval_rule(&self, name: &str) -> Option<&ApprovalRule> {
        self.approval_rules.iter().find(|rule| rule.name == name)
    }

    /// The rules that name the scope called `scope`, on any conditions.
    pub fn rules_of(&self, scope: &str) -> impl Iterator<Item = &ApprovalRule> {
        self.approval_rules.iter().filter(move |rule| rule.is_for(scope))
    }

    /// Every group whose members can have a part in approving `scope`, by its `approvers` or by a rule, with repetitions.
    pub fn approver_groups<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a String> {
        let of_rules = self.rules_of(&scope.name).flat_map(ApprovalRule::groups);
        scope.approvers.iter().chain(of_rules)
    }
}
