//! Filters by name and type.

use serde_json::{Value, json};

/// A filter of either kind: its name, and its configuration with its type.
#[must_use]
pub fn filter(name: &str, kind: &str, mut configuration: Value) -> Value {
    configuration["@type"] = json!(format!("type.googleapis.com/{kind}"));
    json!({"name": name, "typed_config": configuration})
}
