//! The documents of the configuration are made of its types.

use crate::schema::{Object, json_schema, reference, with_generated};
use crate::testing::{assert_generated, test};

use super::Config;

const REFERENCE: &str = include_str!("../../../../docs/configuration.md");
const SCHEMA: &str = include_str!("../../../../docs/configuration.schema.json");

#[test]
fn the_reference_is_made_of_the_types() {
    let made = with_generated(REFERENCE, "fields", &reference(&Config::describe())).unwrap();
    assert_generated("docs/configuration.md", REFERENCE, &made);
}

#[test]
fn the_json_schema_is_made_of_the_types() {
    let schema = json_schema(&Config::describe(), "The configuration of the breakglass filter");
    let made = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    assert_generated("docs/configuration.schema.json", SCHEMA, &made);
}
