//! Where in a JSON document something is: a pointer of RFC 6901.

use std::fmt;

use serde_json::Value;

/// The longest pointer, in bytes.
const MAX_BYTES: usize = 512;

/// A JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPointer(String);

/// What a pointer finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pointed<'a> {
    /// A value.
    Value(&'a Value),
    /// Nothing, because a list on the way is empty: a search that found no record.
    EmptyList,
    /// Nothing.
    Nothing,
}

impl JsonPointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// Says what is expected instead.
    pub(super) fn parse(text: &str) -> Result<JsonPointer, String> {
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        match text.starts_with('/') && escapes && text.len() <= MAX_BYTES {
            true => Ok(JsonPointer(text.to_owned())),
            false => Err(format!(
                "expected a JSON pointer (RFC 6901) of at most {MAX_BYTES} bytes such as `/fields/status/name`, got `{}`",
                text.escape_debug()
            )),
        }
    }

    /// What it finds in `document`.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Pointed<'a> {
        if let Some(value) = document.pointer(&self.0) {
            return Pointed::Value(value);
        }
        let parents = self.0.match_indices('/').filter_map(|(at, _)| self.0.get(..at));
        let mut found = parents.filter_map(|parent| document.pointer(parent));
        match found.any(|value| value.as_array().is_some_and(Vec::is_empty)) {
            true => Pointed::EmptyList,
            false => Pointed::Nothing,
        }
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_what_rfc_6901_says() {
        let document = json!({ "a/b": { "m~n": [1, { "x.y": "z" }] }, "none": null, "found": [] });
        for (pointer, expected) in [
            ("/a~1b/m~0n/0", Pointed::Value(&json!(1))),
            ("/a~1b/m~0n/1/x.y", Pointed::Value(&json!("z"))),
            ("/none", Pointed::Value(&Value::Null)),
            ("/none/x", Pointed::Nothing),
            ("/a~1b/m~0n/01", Pointed::Nothing),
            ("/a~1b/m~0n/2", Pointed::Nothing),
            ("/a~1b/m~0n/-", Pointed::Nothing),
            ("/found/0/state", Pointed::EmptyList),
            ("/found/0", Pointed::EmptyList),
            ("/lost/0", Pointed::Nothing),
        ] {
            let pointer = JsonPointer::parse(pointer).unwrap();
            assert_eq!(pointer.find(&document), expected, "{pointer}");
        }
        for bad in ["", "a", "#/a", "/a~", "/a~2", "/~/0"] {
            assert!(JsonPointer::parse(bad).unwrap_err().contains("RFC 6901"), "{bad}");
        }
    }
}
