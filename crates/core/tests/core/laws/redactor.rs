//! The redactor: a redacted text never holds the value that was to be taken out, and all that was not.

use breakglass_core::bodies::Redaction;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// In no member's name and in no other value.
const SECRET: &str = "ZQXJKV";

/// What a secret is called.
const NAME: &str = "Password";

/// JSON without a secret, in which nothing names one.
fn harmless() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // A text that begins as JSON does, and is none, is taken out: a reader that is less strict may see more in it.
        "([a-y][a-y \u{e9}\"\\\\/{}\\[\\]:,\n]{0,12})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-o]{1,4}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// How a secret stands in a value.
#[derive(Debug, Clone)]
enum Way {
    /// As the value of a member of that name.
    Member,
    /// Somewhere below it.
    Below,
    /// Beside a member that names it, as in a JSON Patch, before it or behind it.
    Named(bool),
    /// In JSON that is the text of a string, so many times.
    InText(u8),
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        Just(Way::Member),
        Just(Way::Below),
        any::<bool>().prop_map(Way::Named),
        (1..4_u8).prop_map(Way::InText),
    ]
}

fn holding(way: &Way) -> Value {
    let member = json!({ NAME: SECRET });
    match way {
        Way::Member => member,
        Way::Below => json!({ NAME: [{ "a": SECRET }, SECRET] }),
        Way::Named(before) => {
            let mut object = Map::new();
            let members = [("path", json!("/data/password")), ("value", json!(SECRET))];
            let order: Vec<_> =
                if *before { members.to_vec() } else { members.iter().rev().cloned().collect() };
            object.extend(order.into_iter().map(|(name, value)| (name.to_owned(), value)));
            object.into()
        }
        Way::InText(times) => {
            (0..*times).fold(member, |value, _| json!({ "text": value.to_string() }))
        }
    }
}

fn rules() -> Redaction {
    Redaction::parse([NAME.to_owned()]).unwrap()
}

/// Whether any three letters of the secret in a row are there.
fn tells(text: &str) -> bool {
    SECRET.as_bytes().windows(3).any(|part| text.contains(std::str::from_utf8(part).unwrap()))
}

proptest! {
    #[test]
    fn a_redacted_text_never_holds_the_secret(
        before in vec(harmless(), 0..3), ways in vec(way(), 1..3), after in vec(harmless(), 0..3),
        pretty: bool, cut: prop::sample::Index,
    ) {
        let all: Vec<Value> = before.into_iter().chain(ways.iter().map(holding)).chain(after).collect();
        let text = if pretty { serde_json::to_string_pretty(&all).unwrap() } else { json!(all).to_string() };
        let shown = rules().json(&text, false).unwrap();
        prop_assert!(!tells(&shown), "{} -> {}", text, shown);
        prop_assert!(serde_json::from_str::<Value>(&shown).is_ok(), "{} -> {}", text, shown);
        // Once more it is the same.
        prop_assert_eq!(rules().json(&shown, false), Some(shown));
        // Wherever it is cut.
        let begun = text.get(..cut.index(text.len())).unwrap_or_default();
        let shown = rules().json(begun, true).unwrap_or_default();
        prop_assert!(!tells(&shown), "{} -> {}", begun, shown);
    }

    #[test]
    fn what_is_harmless_is_left(value in harmless()) {
        let shown = rules().json(&value.to_string(), false);
        let shown = shown.map(|shown| serde_json::from_str::<Value>(&shown).unwrap());
        prop_assert_eq!(shown, Some(value));
    }

    #[test]
    fn no_text_panics(text in ".{0,120}", odd in "[{}\\[\\]\":,\\\\u0-9a-f\u{e9} ]{0,60}", cut: bool) {
        for text in [text, odd] {
            let _ = rules().json(&text, cut);
        }
    }
}
