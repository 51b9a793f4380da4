//! What the forms that others read have in common.

use serde_json::{Value, json};

/// A member that says something.
#[must_use]
pub fn member(record: &Value, name: &str) -> Option<Value> {
    record.get(name).filter(|value| !value.is_null()).cloned()
}

/// A member as text; nothing is empty.
#[must_use]
pub fn text<'r>(record: &'r Value, name: &str) -> &'r str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member as a number.
#[must_use]
pub fn number(record: &Value, name: &str) -> Option<u64> {
    record.get(name).and_then(Value::as_u64)
}

/// Puts a value where `pointer` says, if there is one; the objects on the way are made.
pub fn put(event: &mut Value, pointer: &str, value: Option<Value>) {
    let Some(value) = value else { return };
    let mut place = event;
    for name in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = json!({});
        }
        let Value::Object(members) = place else { return };
        place = members.entry(name).or_insert(Value::Null);
    }
    *place = value;
}
