//! By what a scope is approved: its own `approvers`, and the rules that name it.

use super::approval_rules::ApprovalRule;
use super::on_call::ON_CALL;
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

    /// The schedule whose people a group is; nothing where it is a group of its own.
    #[must_use]
    pub fn schedule_of<'g>(&self, group: &'g str) -> Option<&'g str> {
        self.on_call.as_ref()?;
        group.strip_prefix(ON_CALL)
    }

    /// Each schedule that approvers are named by, once.
    #[must_use]
    pub fn schedules(&self) -> Vec<&str> {
        let of_scopes = self.scopes.iter().flat_map(|scope| &scope.approvers);
        let of_rules = self.approval_rules.iter().flat_map(|rule| rule.groups());
        let schedules = of_scopes.chain(of_rules).filter_map(|group| self.schedule_of(group));
        let mut schedules: Vec<&str> = schedules.collect();
        schedules.sort_unstable();
        schedules.dedup();
        schedules
    }
}
