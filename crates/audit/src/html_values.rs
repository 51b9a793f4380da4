//! Values of the report as they stand in the page.

use maud::{Markup, html};
use serde_json::Value;

use crate::text::misleads;

/// The members of an object, one a row; those of the objects in it after their names.
pub(super) fn facts(object: &Value) -> Markup {
    let mut rows = Vec::new();
    flatten("", object, &mut rows);
    html! {
        dl { @for (name, value) in rows { dt { (name) } dd { (value) } } }
    }
}

fn flatten(prefix: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('_', " ");
                flatten(format!("{prefix} {name}").trim(), value, rows);
            }
        }
        other => rows.push((prefix.to_owned(), plain(other))),
    }
}

/// The list at a pointer; empty where there is none.
pub(super) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The value at a pointer, as a person reads it; empty where there is none.
pub(super) fn at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).map(plain).unwrap_or_default()
}

/// A value as a person reads it. Nothing in it hides or turns what stands beside it.
pub(super) fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    text.chars().fold(String::new(), |mut shown, character| {
        if misleads(character) {
            shown.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(character)));
        } else {
            shown.push(character);
        }
        shown
    })
}
