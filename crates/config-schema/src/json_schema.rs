//! The JSON Schema (draft 2020-12) of an object: for editors, and for checks before anything is loaded.
//!
//! It says what can be said of one field at a time. What fields have to be to one another, and what
//! kinds of text there are, is the reader's to judge: it takes less than the schema does.

use serde_json::{Map, Value, json};

use breakglass_types::instant::format_duration;

use super::{Description, Presence, Takes};

/// The schema of a whole document.
#[must_use]
pub fn json_schema(whole: &Description, title: &str) -> Value {
    let mut schema = object(whole);
    if let Some(members) = schema.as_object_mut() {
        members.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        members.insert("title".to_owned(), json!(title));
    }
    schema
}

fn object(object: &Description) -> Value {
    let mut properties = Map::new();
    for field in &object.fields {
        let mut schema = value(&field.takes);
        if let Some(members) = schema.as_object_mut() {
            members.insert("description".to_owned(), json!(one_line(field.about)));
            if let Presence::Default(default) = &field.presence {
                members.insert("default".to_owned(), json!(default));
            }
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let required = object.fields.iter().filter(|field| field.presence == Presence::Required);
    let required: Vec<_> = required.map(|field| field.name).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(members) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        members.insert("required".to_owned(), json!(required));
    }
    schema
}

fn value(takes: &Takes) -> Value {
    match takes {
        Takes::Boolean => json!({"type": "boolean"}),
        Takes::Number(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
        Takes::Text(_) => json!({"type": "string", "minLength": 1}),
        Takes::Duration(_, longest) => {
            let mut schema = json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"});
            if let (Some(members), Some(longest)) = (schema.as_object_mut(), longest) {
                let longest = format!("at most {}", format_duration(*longest));
                members.insert("$comment".to_owned(), json!(longest));
            }
            schema
        }
        Takes::Words(words) => json!({"enum": words}),
        Takes::List(item) => json!({"type": "array", "minItems": 1, "items": value(item)}),
        Takes::Map(kind, item) => json!({
            "type": "object", "minProperties": 1, "additionalProperties": value(item), "$comment": format!("by {kind}"),
        }),
        Takes::Object(description) => object(description),
        Takes::Either(any) => json!({"anyOf": any.iter().map(value).collect::<Vec<_>>()}),
        Takes::Foreign(what) => json!({"type": "object", "$comment": what}),
    }
}

fn one_line(about: &str) -> String {
    about.split_whitespace().collect::<Vec<_>>().join(" ")
}
