//! The two forms in which Envoy hands a plugin's configuration over.
//!
//! A `google.protobuf.StringValue` arrives as its text, which is JSON. A `google.protobuf.Struct`
//! arrives in protobuf's wire format, although Envoy's documentation says JSON (seen on 1.40.0).

use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::json::{InvalidJson, Json};

/// The tag of `Struct.fields` (field 1, length-delimited), with which every `Struct` begins that is
/// not empty. It is a line feed too, so a text can begin with it.
const STRUCT_TAG: u8 = 0x0a;

/// Reads a configuration in either form.
pub(super) fn read(bytes: &[u8]) -> Result<Json, InvalidJson> {
    Json::parse(bytes).or_else(|error| {
        let is_struct = bytes.first() == Some(&STRUCT_TAG);
        is_struct.then(|| Struct::decode(bytes).ok()).flatten().map(object).ok_or(error)
    })
}

fn object(members: Struct) -> Json {
    Json::Object(members.fields.into_iter().map(|(name, value)| (name, json(value))).collect())
}

fn json(value: Value) -> Json {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(value)) => Json::Bool(value),
        Some(Kind::NumberValue(value)) => number(value),
        Some(Kind::StringValue(value)) => Json::String(value),
        Some(Kind::ListValue(list)) => Json::Array(list.values.into_iter().map(json).collect()),
        Some(Kind::StructValue(members)) => object(members),
    }
}

/// A `Struct` knows doubles only; a whole one is the whole number that somebody wrote.
fn number(value: f64) -> Json {
    let text = format!("{value}");
    match text.parse::<u64>() {
        Ok(whole) => Json::Number(whole.into()),
        Err(_) => serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    #[test]
    fn reads_both_forms() {
        let list = prost_types::ListValue { values: vec![value(Kind::StringValue("x".into()))] };
        let inner = Struct { fields: [("n".into(), value(Kind::NullValue(0)))].into() };
        let fields = [
            ("list".to_owned(), value(Kind::ListValue(list))),
            ("whole".to_owned(), value(Kind::NumberValue(8192.0))),
            ("half".to_owned(), value(Kind::NumberValue(0.5))),
            ("flag".to_owned(), value(Kind::BoolValue(true))),
            ("inner".to_owned(), value(Kind::StructValue(inner))),
        ];
        let message = Struct { fields: fields.into() }.encode_to_vec();
        let text = br#"
            {"list": ["x"], "whole": 8192, "half": 0.5, "flag": true, "inner": {"n": null}}"#;
        assert_eq!(text.first(), Some(&STRUCT_TAG), "a text can begin with the tag");
        assert_eq!(read(&message), read(text));
        assert!(read(&message).is_ok());
    }

    #[test]
    fn refuses_what_is_neither() {
        for bytes in [&b""[..], b"\n", b"\n\xff", b"\n{", b"\x0a\x05abc", b"issuers: []"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
