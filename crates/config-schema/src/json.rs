//! Strict JSON: what two parsers could read in two ways is refused, not guessed.
//!
//! A duplicated member name is an error (RFC 8259 section 4 leaves its meaning open, and
//! RFC 7515 section 4 lets a JWS parser refuse it), as is anything after the value, a byte that is
//! not UTF-8, and nesting deeper than serde_json's limit of 128.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// A JSON value in which every object has each member name once.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number: an integer of 64 bits, else a finite double.
    Number(serde_json::Number),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
}

/// The text is not one strict JSON value. The cause goes to people who wrote the text themselves
/// (a configuration), never back to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidJson(String);

impl Json {
    /// Parses one value; `text` must hold nothing else but white space around it.
    ///
    /// # Errors
    /// [`InvalidJson`] says where and why, in serde_json's words.
    pub fn parse(text: &[u8]) -> Result<Json, InvalidJson> {
        serde_json::from_slice(text).map_err(|error| InvalidJson(error.to_string()))
    }

    /// The member `name`, if this is an object that has it.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Json> {
        self.as_object()?.get(name)
    }

    /// The members, if this is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&BTreeMap<String, Json>> {
        if let Json::Object(members) = self { Some(members) } else { None }
    }

    /// The items, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Json]> {
        if let Json::Array(items) = self { Some(items) } else { None }
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Json::String(text) = self { Some(text) } else { None }
    }

    /// The value, if this is `true` or `false`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Json::Bool(value) = self { Some(*value) } else { None }
    }

    /// The value, if this is an integer from 0 to 2^64 - 1, written without fraction or exponent.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if let Json::Number(number) = self { number.as_u64() } else { None }
    }

    /// The value, if this is a number of any form, as near as a double comes to it.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Json::Number(number) = self { number.as_f64() } else { None }
    }

    /// What kind of value this is, for messages: `an object`, `a string`, ...
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::String(text.to_owned())
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Json {
        Json::Number(number.into())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl<T: Into<Json>, const N: usize> From<[T; N]> for Json {
    fn from(items: [T; N]) -> Json {
        Json::Array(items.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Json {
    /// As JSON, in one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(number) => number.serialize(serializer),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(items) => serializer.collect_seq(items),
            Json::Object(members) => serializer.collect_map(members),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(serde::de::Error::custom(format_args!(
                    "member name `{}` occurs twice",
                    name.escape_debug()
                )));
            }
            let value = access.next_value()?;
            members.insert(name, value);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn refuses_what_two_parsers_could_read_in_two_ways() {
        for (why, text) in [
            ("duplicated member", r#"{"a":1,"a":2}"#),
            ("duplicated member, nested", r#"[{"x":{"b":1,"c":2,"b":1}}]"#),
            ("the same name, escaped", r#"{"a":1,"\u0061":2}"#),
            ("two values", "{} {}"),
            ("nothing", ""),
            ("a comment", "{} // x"),
            ("a lone surrogate", r#""\ud800""#),
            ("a number beyond every double", "1e999"),
            ("NaN", "NaN"),
            ("a leading zero", "01"),
            ("a trailing comma", "[1,]"),
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{why}: {text}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err(), "not UTF-8");
        assert!(Json::parse("[".repeat(100_000).as_bytes()).is_err(), "deep nesting");
    }

    #[test]
    fn reads_each_kind_of_value() {
        let json = Json::parse(br#" {"n":null,"b":true,"u":7,"f":1.5,"s":"x","a":[1]} "#).unwrap();
        assert_eq!(json.member("n"), Some(&Json::Null));
        assert_eq!(json.member("b").and_then(Json::as_bool), Some(true));
        assert_eq!(json.member("u").and_then(Json::as_u64), Some(7));
        assert_eq!(json.member("f").and_then(Json::as_u64), None);
        assert_eq!(json.member("s").and_then(Json::as_str), Some("x"));
        assert_eq!(json.member("a").and_then(Json::as_array).map(<[Json]>::len), Some(1));
        assert_eq!(json.member("z"), None);
    }
}
