//! Groups that have a right over all audiences, or over some: the form of `responders`.

use std::collections::BTreeMap;

use breakglass_config_schema::{Place, Reader, Takes, list, map, parsed};
use breakglass_types::json::Json;

use super::read::{audience, distinct, name};

/// Which groups have a right over which audiences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupsByAudience {
    /// These groups, over every audience. Without any group it is a right of no person.
    Every(Vec<String>),
    /// The groups of each audience; over any other audience it is a right of no person.
    Each(BTreeMap<String, Vec<String>>),
}

impl Default for GroupsByAudience {
    fn default() -> Self {
        GroupsByAudience::Every(Vec::new())
    }
}

impl GroupsByAudience {
    /// The groups that have the right over `audience`.
    #[must_use]
    pub fn over(&self, audience: &str) -> &[String] {
        match self {
            GroupsByAudience::Every(groups) => groups,
            GroupsByAudience::Each(groups) => groups.get(audience).map_or(&[], Vec::as_slice),
        }
    }

    /// Whether there is a group that has the right over any audience.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups().next().is_none()
    }

    /// Every group that is named, with repetitions.
    pub fn groups(&self) -> impl Iterator<Item = &String> {
        let (every, each) = match self {
            GroupsByAudience::Every(groups) => (Some(groups), None),
            GroupsByAudience::Each(groups) => (None, Some(groups.values())),
        };
        every.into_iter().chain(each.into_iter().flatten()).flatten()
    }

    /// Every audience that is named.
    pub fn audiences(&self) -> impl Iterator<Item = &String> {
        let each = match self {
            GroupsByAudience::Every(_) => None,
            GroupsByAudience::Each(groups) => Some(groups.keys()),
        };
        each.into_iter().flatten()
    }
}

/// A list of groups, or a table of such lists by audience.
pub(super) struct GroupsReader;

pub(super) const fn groups_by_audience() -> GroupsReader {
    GroupsReader
}

fn groups() -> impl Reader<Value = Vec<String>> {
    list(parsed("group", name)).and_then(distinct)
}

fn by_audience() -> impl Reader<Value = BTreeMap<String, Vec<String>>> {
    map("audience", audience, groups())
}

impl Reader for GroupsReader {
    type Value = GroupsByAudience;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<GroupsByAudience> {
        if json.as_object().is_some() {
            return by_audience().read(json, place).map(GroupsByAudience::Each);
        }
        if json.as_array().is_some() {
            return groups().read(json, place).map(GroupsByAudience::Every);
        }
        place.expected("a list of groups, or a table of such lists by audience", json)
    }

    fn takes(&self) -> Takes {
        Takes::Either(vec![groups().takes(), by_audience().takes()])
    }
}
