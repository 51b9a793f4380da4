//! Undoes a carrier that wrote the record's JSON anew: the canonical form of an object.
//!
//! Compact; members in the order of [`MEMBERS`], those that this program does not know after the
//! one that they came after; strings escaped as serde_json does, which is as RFC 8785 does.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;

/// The members of a record, in their order.
pub const MEMBERS: [&str; 46] = [
    "v",
    "time",
    "decision",
    "reason",
    "grant",
    "subject",
    "issuer",
    "incident",
    "justification",
    "approvers",
    "emergency",
    "basis",
    "scope",
    "scope_digest",
    "approved_digest",
    "rule",
    "method",
    "host",
    "path",
    "route",
    "source_ip",
    "request_id",
    "upgrade",
    "phase",
    "status",
    "response_flags",
    "duration_ms",
    "bytes_received",
    "bytes_sent",
    "bytes_after_revocation",
    "expires_in_s",
    "epoch",
    "epoch_age_ms",
    "revocation_source",
    "upstream",
    "route_used",
    "node",
    "stream",
    "request_body",
    "response_body",
    "start",
    "grant_seq",
    "chain",
    "seq",
    "prev",
    "hash",
];

/// The members of the objects in a record, in their orders.
const INNER: [&[&str]; 2] = [
    &["seq", "prev", "hash"],
    &["sha256", "bytes", "complete", "headers", "content", "truncated", "withheld"],
];

/// The place of a member of a record among [`MEMBERS`].
fn place(name: &str) -> Option<usize> {
    MEMBERS.iter().position(|member| *member == name)
}

/// A JSON value that keeps the order of its objects' members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number of a record.
    Integer(i64),
    /// A larger one.
    Large(u64),
    /// A number that no record has: it is kept, so that the hash tells that it was put in.
    Other(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// An object.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// How many of the members of a record it has.
    #[must_use]
    pub fn known_members(&self) -> usize {
        let Tree::Object(members) = self else { return 0 };
        let mut known = [false; MEMBERS.len()];
        for (name, _) in members {
            if let Some(known) = place(name).and_then(|place| known.get_mut(place)) {
                *known = true;
            }
        }
        known.iter().filter(|known| **known).count()
    }

    /// The canonical text of this record.
    #[must_use]
    pub fn canonical(mut self) -> String {
        if let Tree::Object(members) = &mut self {
            for (_, value) in members.iter_mut() {
                if let Tree::Object(inner) = value {
                    let order = INNER.iter().find(|order| {
                        inner.first().is_some_and(|(name, _)| order.contains(&name.as_str()))
                    });
                    sort(inner, order.copied().unwrap_or_default());
                }
            }
            sort(members, &MEMBERS);
        }
        serde_json::to_string(&self).unwrap_or_default()
    }
}

/// Sorts the members whose place is known; another one goes where the one before it goes.
fn sort(members: &mut Vec<(String, Tree)>, order: &[&str]) {
    let mut last = 0;
    let mut placed: Vec<(usize, (String, Tree))> = members
        .drain(..)
        .map(|member| {
            last = order.iter().position(|known| *known == member.0).unwrap_or(last);
            (last, member)
        })
        .collect();
    // Stable: among equals what was first stays first.
    placed.sort_by_key(|(place, _)| *place);
    members.extend(placed.into_iter().map(|(_, member)| member));
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Tree::Null => serializer.serialize_unit(),
            Tree::Other(value) => value.serialize(serializer),
            Tree::Bool(value) => serializer.serialize_bool(*value),
            Tree::Integer(value) => serializer.serialize_i64(*value),
            Tree::Large(value) => serializer.serialize_u64(*value),
            Tree::Text(text) => serializer.serialize_str(text),
            Tree::List(items) => items.serialize(serializer),
            Tree::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON value")
            }

            fn visit_unit<E: Error>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Integer(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
                Ok(i64::try_from(value).map_or(Tree::Large(value), Tree::Integer))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
                Number::from_f64(value)
                    .map(Tree::Other)
                    .ok_or_else(|| E::custom("a number that is not finite"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
                let mut members: Vec<(String, Tree)> = Vec::new();
                while let Some((name, value)) = entries.next_entry()? {
                    members.push((name, value));
                }
                Ok(Tree::Object(members))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        serde_json::from_str::<Tree>(text).unwrap().canonical()
    }

    #[test]
    fn puts_members_into_their_order_and_leaves_out_white_space() {
        let record = r#"{"hash": "h", "v": 1, "path": "/ä\u000a\/", "time": "t", "seq": 7,
            "start": {"hash": "x", "seq": 3}, "later": [1, {"b": 1, "a": 2}],
            "request_body": {"content": null, "bytes": 18446744073709551615, "sha256": "s"}}"#;
        assert_eq!(
            canonical(record),
            r#"{"v":1,"time":"t","path":"/ä\n/","#.to_owned()
                + r#""request_body":{"sha256":"s","bytes":18446744073709551615,"content":null},"#
                + r#""start":{"seq":3,"hash":"x"},"later":[1,{"b":1,"a":2}],"seq":7,"hash":"h"}"#
        );
    }

    #[test]
    fn leaves_what_is_canonical_as_it_is() {
        let record = r#"{"v":1,"time":"\b\t\n\f\r\"\\\u0000\u001f","added":-1,"seq":1,"hash":"h"}"#;
        assert_eq!(canonical(record), record);
    }

    #[test]
    fn the_upgrade_of_a_record_has_its_place_where_there_is_one() {
        let written = r#"{"v":1,"route":null,"request_id":"r","upgrade":"websocket","phase":"end","hash":"h"}"#;
        let moved = r#"{"hash":"h","phase":"end","request_id":"r","route":null,"upgrade":"websocket","v":1}"#;
        assert_eq!(
            (canonical(written), canonical(moved)),
            (written.to_owned(), written.to_owned())
        );
        // A record of an older filter, or of a request that does not switch, has none.
        let without = r#"{"v":1,"route":null,"request_id":"r","phase":"end","hash":"h"}"#;
        assert_eq!(canonical(without), without);
    }

    #[test]
    fn the_digests_of_a_record_have_their_places_where_there_are_any() {
        let written = r#"{"v":1,"emergency":false,"basis":"approved","scope":"s","scope_digest":"d","approved_digest":"e","rule":"/x","hash":"h"}"#;
        let moved = r#"{"approved_digest":"e","basis":"approved","emergency":false,"hash":"h","rule":"/x","scope":"s","scope_digest":"d","v":1}"#;
        assert_eq!(
            (canonical(written), canonical(moved)),
            (written.to_owned(), written.to_owned())
        );
        let same = r#"{"v":1,"emergency":false,"basis":null,"scope":"s","scope_digest":"d","rule":"/x","hash":"h"}"#;
        assert_eq!(canonical(same), same);
        // A record of an older filter has none of them.
        let older = r#"{"v":1,"emergency":false,"scope":"s","rule":"/x","hash":"h"}"#;
        let moved = r#"{"hash":"h","rule":"/x","scope":"s","emergency":false,"v":1}"#;
        assert_eq!((canonical(older), canonical(moved)), (older.to_owned(), older.to_owned()));
    }

    #[test]
    fn the_route_that_was_used_has_its_place_where_it_is_another() {
        for used in [r#""billing""#, "null"] {
            let written = format!(
                r#"{{"v":1,"route":"orders","upstream":null,"route_used":{used},"node":"n","hash":"h"}}"#
            );
            let moved = format!(
                r#"{{"hash":"h","node":"n","route":"orders","route_used":{used},"upstream":null,"v":1}}"#
            );
            assert_eq!((canonical(&written), canonical(&moved)), (written.clone(), written));
        }
        let without = r#"{"v":1,"route":"orders","upstream":null,"node":"n","hash":"h"}"#;
        assert_eq!(canonical(without), without);
    }

    #[test]
    fn many_members_do_not_take_long() {
        let members: String = (0..200_000).map(|number| format!("\"{number}\":0,")).collect();
        let text = format!("{{{members}\"v\":1}}");
        assert_eq!(canonical(&text).len(), text.len());
    }
}
