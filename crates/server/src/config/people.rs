//! The people of a configuration, found by name and by group.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use breakglass_config_schema::{Object, Reader as _, list, object, or_none, parsed, required};

use super::read::{Digest, digest, distinct, name};

object! {
    /// A person, known by an API token.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Person {
        /// The `sub` of this person's tokens.
        pub name: String = required(parsed("name", name)),
        /// The digest of the API token (`breakglass keygen api-token`).
        pub token_sha256: Digest = required(parsed("SHA-256 in hexadecimal digits", digest)),
        /// What `requesters`, `approvers`, `auditors` and `responders` refer to; also in the token.
        pub groups: Vec<String> = or_none(list(parsed("group", name)).and_then(distinct)),
        /// The token's `roles`, for the filter's `require.roles`.
        pub roles: Vec<String> = or_none(list(parsed("role", name)).and_then(distinct)),
    }
}

impl Object for Person {}

/// The people, in the order of the file, with indexes: a group of a thousand people is found as fast as one of
/// ten, and a name without a look at all the others.
#[derive(Debug)]
pub struct People {
    entries: Vec<Arc<Person>>,
    by_name: BTreeMap<String, Arc<Person>>,
    by_group: BTreeMap<String, Vec<String>>,
}

impl Person {
    /// Whether this person is in one of `groups`.
    #[must_use]
    pub fn is_in_any(&self, groups: &[String]) -> bool {
        groups.iter().any(|group| self.groups.contains(group))
    }
}

impl People {
    /// These people. Of two with one name, which the check of a configuration refuses, the first is found.
    #[must_use]
    pub fn new(entries: Vec<Arc<Person>>) -> People {
        let mut by_name = BTreeMap::new();
        let mut by_group: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for person in &entries {
            by_name.entry(person.name.clone()).or_insert_with(|| Arc::clone(person));
            for group in &person.groups {
                by_group.entry(group.clone()).or_default().push(person.name.clone());
            }
        }
        People { entries, by_name, by_group }
    }

    /// The person called `name`, byte for byte.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Person>> {
        self.by_name.get(name)
    }

    /// The names of the members of `group`, in the order of the file.
    #[must_use]
    pub fn in_group(&self, group: &str) -> &[String] {
        self.by_group.get(group).map_or(&[], Vec::as_slice)
    }
}

impl Deref for People {
    type Target = [Arc<Person>];

    fn deref(&self) -> &[Arc<Person>] {
        &self.entries
    }
}

impl<'a> IntoIterator for &'a People {
    type Item = &'a Arc<Person>;
    type IntoIter = std::slice::Iter<'a, Arc<Person>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}
