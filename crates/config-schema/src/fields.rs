//! The fields of one object, while it is read.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_types::json::Json;

use super::Place;

/// The fields of one object. Each must be asked for before [`Fields::close`], which reports those
/// that nobody knows.
#[derive(Debug)]
pub struct Fields<'a> {
    members: &'a BTreeMap<String, Json>,
    place: &'a Place<'a>,
    known: BTreeSet<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn open(json: &'a Json, place: &'a Place<'a>) -> Option<Fields<'a>> {
        let Some(members) = json.as_object() else {
            return place.expected("an object", json);
        };
        Some(Fields { members, place, known: BTreeSet::new() })
    }

    /// What stands in a field, and where that is.
    pub(super) fn take(&mut self, name: &'static str) -> (Option<&'a Json>, Place<'a>) {
        self.known.insert(name);
        (self.members.get(name), self.place.field(name))
    }

    /// Whether something stands in a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Reports the fields that were not asked for; `None` if there are any.
    pub(super) fn close(self) -> Option<()> {
        let mut clean = Some(());
        for name in self.members.keys().filter(|name| !self.known.contains(name.as_str())) {
            let known: Vec<_> = self.known.iter().map(|name| format!("`{name}`")).collect();
            clean = self
                .place
                .field(name)
                .error(format!("unknown field; the fields here are {}", known.join(", ")));
        }
        clean
    }
}
