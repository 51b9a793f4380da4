//! Groups of identity providers: as a provider says them, and what they are called here.
//!
//! What a provider says are [`GroupsAtProvider`], which nothing here compares with a group of the configuration but
//! [`GroupNames`]: with the entry that says what the groups of this provider are called. So no provider can say a group of
//! another one, whatever it calls its own:
//!
//! 1. Where the entry has `qualify_groups`, its group `sre` is called `<name of the entry>:sre` here, and nothing else is.
//! 2. The groups of the one entry without it are called as it says them; one that begins with the name of another entry and
//!    a colon does not count.

use breakglass_identity::IdentityProvider;
use breakglass_types::limits::MAX_NAME_BYTES;
use serde::{Deserialize, Serialize};

/// Names of groups as an identity provider says them. By themselves they allow nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupsAtProvider(Vec<String>);

impl GroupsAtProvider {
    /// As an answer of a provider has them.
    #[must_use]
    pub fn said(names: Vec<String>) -> GroupsAtProvider {
        GroupsAtProvider(names)
    }
}

/// What the groups of one identity provider are called here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupNames {
    /// With this in front: the name of the entry and a colon.
    Qualified(String),
    /// As the provider says them, but for those that begin with one of these.
    AsSaid {
        /// What the names of groups of other providers begin with.
        others: Vec<String>,
    },
}

impl GroupNames {
    /// Those of the entry called `provider`; nothing where there is none.
    #[must_use]
    pub fn of(entries: &[IdentityProvider], provider: &str) -> Option<GroupNames> {
        let entry = entries.iter().find(|one| one.name == provider)?;
        let begin = |one: &IdentityProvider| format!("{}:", one.name);
        if entry.qualify_groups {
            return Some(GroupNames::Qualified(begin(entry)));
        }
        let others = entries.iter().filter(|one| one.name != entry.name);
        Some(GroupNames::AsSaid { others: others.map(begin).collect() })
    }

    /// What the provider has to call the group that is called `group` here; nothing where the group is not the provider's
    /// to say.
    #[must_use]
    pub fn at_provider<'g>(&self, group: &'g str) -> Option<&'g str> {
        match self {
            GroupNames::Qualified(begin) => group.strip_prefix(begin.as_str()),
            GroupNames::AsSaid { others } => {
                let is_other = others.iter().any(|begin| group.starts_with(begin.as_str()));
                (!is_other).then_some(group)
            }
        }
    }

    /// Whether `said` has the group that is called `group` here.
    #[must_use]
    pub fn has(&self, said: &GroupsAtProvider, group: &str) -> bool {
        self.at_provider(group).is_some_and(|name| said.0.iter().any(|one| one == name))
    }

    /// Whether the provider could have said the group that is called `group` here, and did not.
    #[must_use]
    pub fn lacks(&self, said: &GroupsAtProvider, group: &str) -> bool {
        self.at_provider(group).is_some_and(|name| !said.0.iter().any(|one| one == name))
    }

    /// What these groups are called here: those that count.
    #[must_use]
    pub fn here(&self, said: &GroupsAtProvider) -> Vec<String> {
        said.0.iter().filter_map(|name| self.name_here(name)).collect()
    }

    /// Those that do not count, as the provider said them.
    #[must_use]
    pub fn not_counted<'s>(&self, said: &'s GroupsAtProvider) -> Vec<&'s str> {
        let names = said.0.iter().filter(|name| self.name_here(name).is_none());
        names.map(String::as_str).collect()
    }

    fn name_here(&self, said: &str) -> Option<String> {
        let name = match self {
            GroupNames::Qualified(begin) => format!("{begin}{said}"),
            GroupNames::AsSaid { .. } => self.at_provider(said)?.to_owned(),
        };
        // No configuration can name a longer one, and no filter takes it.
        (name.len() <= MAX_NAME_BYTES).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(names: &[&str]) -> GroupsAtProvider {
        GroupsAtProvider::said(names.iter().map(|&name| name.to_owned()).collect())
    }

    fn qualified() -> GroupNames {
        GroupNames::Qualified("partner:".to_owned())
    }

    fn as_said() -> GroupNames {
        GroupNames::AsSaid { others: vec!["partner:".to_owned(), "lab:".to_owned()] }
    }

    /// Each name that one of them has, the other has not, whatever they say.
    #[test]
    fn no_name_counts_from_two_providers() {
        let hostile = [
            "sre",
            "partner:sre",
            "partner:partner:sre",
            ":sre",
            "",
            "partner:",
            "partner",
            "Partner:sre",
            "partner\u{ff1a}sre",
            " partner:sre",
            "corp:sre",
            "lab:sre",
        ];
        let all = said(&hostile);
        for name in hostile {
            let both = qualified().has(&all, name) && as_said().has(&all, name);
            assert!(!both, "{name:?}");
        }
        let here = [qualified().here(&all), as_said().here(&all)];
        assert!(here[0].iter().all(|name| !here[1].contains(name)), "{here:?}");
        // What is shown is what counts.
        for names in [qualified(), as_said()] {
            assert!(names.here(&all).iter().all(|name| names.has(&all, name)), "{names:?}");
        }
    }

    #[test]
    fn a_qualified_group_counts_by_its_whole_name_alone() {
        let groups = said(&["sre", "partner:ops"]);
        for (name, expected) in [
            ("partner:sre", true),
            ("partner:partner:ops", true),
            ("sre", false),
            ("partner:ops", false),
            ("Partner:sre", false),
        ] {
            assert_eq!(qualified().has(&groups, name), expected, "{name}");
        }
        assert_eq!(qualified().here(&groups), ["partner:sre", "partner:partner:ops"]);
        assert!(qualified().not_counted(&groups).is_empty());
    }

    #[test]
    fn groups_that_are_called_as_said_leave_out_those_of_others() {
        let groups = said(&["sre", "team:ops", "partner:sre"]);
        assert_eq!(as_said().here(&groups), ["sre", "team:ops"]);
        assert_eq!(as_said().not_counted(&groups), ["partner:sre"]);
        assert!(!as_said().has(&groups, "partner:sre"));
        let alone = GroupNames::AsSaid { others: Vec::new() };
        assert_eq!(alone.here(&groups), ["sre", "team:ops", "partner:sre"]);
    }

    /// A group is lost only where the provider could have said it.
    #[test]
    fn a_group_that_is_not_the_providers_to_say_is_not_lacking() {
        let groups = said(&["sre"]);
        for (names, group, expected) in [
            (as_said(), "sre", false),
            (as_said(), "ops", true),
            (as_said(), "partner:ops", false),
            (qualified(), "partner:sre", false),
            (qualified(), "partner:ops", true),
            (qualified(), "ops", false),
        ] {
            assert_eq!(names.lacks(&groups, group), expected, "{names:?} {group}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_for_a_configuration_does_not_count() {
        let long = "g".repeat(MAX_NAME_BYTES);
        let groups = said(&[&long]);
        assert_eq!(as_said().here(&groups), std::slice::from_ref(&long));
        assert_eq!(qualified().not_counted(&groups), [long]);
        assert!(qualified().here(&groups).is_empty());
    }
}
