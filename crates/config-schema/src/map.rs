//! An object whose member names are data: a map.

use std::collections::BTreeMap;

use breakglass_types::json::Json;

use super::{Place, Reader, Takes};

/// An object of at least one member, each of whose names `parse` understands (its error is the message) and
/// whose values `value` takes. `kind` says in the singular what a name is. An empty object is an error, as an
/// empty list is.
#[must_use]
pub fn map<K: Ord, R: Reader>(
    kind: &'static str,
    parse: fn(&str) -> Result<K, String>,
    value: R,
) -> Map<K, R> {
    Map { kind, parse, value }
}

/// See [`map`].
#[derive(Debug)]
pub struct Map<K, R> {
    kind: &'static str,
    parse: fn(&str) -> Result<K, String>,
    value: R,
}

impl<K: Ord, R: Reader> Reader for Map<K, R> {
    type Value = BTreeMap<K, R::Value>;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<BTreeMap<K, R::Value>> {
        let Some(members) = json.as_object() else {
            return place.expected("an object", json);
        };
        if members.is_empty() {
            let empty = "an empty table never means all: name at least one, or leave the field out if it is optional";
            return place.error(empty);
        }
        // Every member is read before any failure counts, so that all errors are reported.
        let read = members.iter().map(|(name, json)| {
            let place = place.field(name);
            let key = (self.parse)(name).map_or_else(|message| place.error(message), Some);
            let value = self.value.read(json, &place);
            Some((key?, value?))
        });
        let read: Vec<Option<(K, R::Value)>> = read.collect();
        read.into_iter().collect()
    }

    fn takes(&self) -> Takes {
        Takes::Map(self.kind, Box::new(self.value.takes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reading, list, text};

    fn read(json: &str) -> Result<BTreeMap<String, Vec<String>>, Vec<String>> {
        let short = |name: &str| match name.len() {
            1 => Ok(name.to_owned()),
            _ => Err(format!("expected one letter, got `{name}`")),
        };
        let json = Json::parse(json.as_bytes()).unwrap();
        let read = Reading::new().read(&map("letter", short, list(text())), &json);
        read.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_every_member_and_reports_every_error() {
        let read_members = read(r#"{"a": ["x"], "b": ["y", "z"]}"#).unwrap();
        assert_eq!(read_members["b"], ["y", "z"]);
        assert_eq!(
            read(r#"{"a": [1], "bb": ["x"], "c": ["x"]}"#).unwrap_err(),
            ["a[0]: expected a string, found a number", "bb: expected one letter, got `bb`"]
        );
        assert!(read("{}").unwrap_err()[0].starts_with("an empty table never means all"));
        assert_eq!(read("[]").unwrap_err(), ["expected an object, found an array"]);
    }
}
