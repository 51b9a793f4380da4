//! Who may approve besides, once a request has waited for long.
//!
//! It follows from the configuration, from when the request was submitted, and from the time: nothing is kept of it, so that no
//! row of a database and no process that was not running then gives a group a right, or keeps one from it.

use super::needs::{Need, Needs};
use crate::config::{Config, Escalation};

impl Needs {
    /// The same, where each stage also names the groups to which its rule is escalated, of the entries that are `reached`.
    #[must_use]
    pub fn escalated(mut self, config: &Config, reached: impl Fn(&Escalation) -> bool) -> Needs {
        for need in self.iter_mut() {
            let entries = escalations(config, need).iter().filter(|entry| reached(entry));
            let groups: Vec<&String> = entries.flat_map(|entry| &entry.to).collect();
            for stage in &mut need.stages {
                let from = &mut stage.from;
                for group in &groups {
                    if !from.contains(group) {
                        from.push((*group).clone());
                    }
                }
            }
        }
        self
    }
}

/// The entries of `escalate` of the rule that a need is by, in the configuration of now.
#[must_use]
pub fn escalations<'a>(config: &'a Config, need: &Need) -> &'a [Escalation] {
    let rule = need.rule.as_ref().and_then(|name| config.approval_rule(name));
    rule.map_or(&[], |rule| &rule.escalate)
}
