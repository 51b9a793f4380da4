//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a client that does not know
//! whether its request arrived sends it again with the same key.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;
use crate::limits::MAX_IDEMPOTENCY_KEY_BYTES;
use crate::problem::{FieldProblem, Problem, Reason};

/// The name of the header.
const NAME: &str = "idempotency-key";

/// The key, if there is one.
pub(super) struct IdempotencyKey(pub(super) Option<String>);

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<IdempotencyKey, Problem> {
        let mut values = parts.headers.get_all(NAME).iter();
        let key = match (values.next(), values.next()) {
            (None, _) => return Ok(IdempotencyKey(None)),
            (Some(value), None) => value.to_str().ok().and_then(read),
            (Some(_), Some(_)) => None,
        };
        match key {
            Some(key) => Ok(IdempotencyKey(Some(key))),
            None => Err(Problem::fields(vec![FieldProblem {
                field: "Idempotency-Key".to_owned(),
                reason: Reason::InvalidRequest.into(),
                detail: format!(
                    "expected one header with 1 to {MAX_IDEMPOTENCY_KEY_BYTES} visible ASCII characters, \
                     in double quotes or without any"
                ),
            }])),
        }
    }
}

/// A string (RFC 9651, section 3.3.3), or the same without quotes, which has neither `"` nor `\` in it.
fn read(value: &str) -> Option<String> {
    let value = value.trim_matches([' ', '\t']);
    let key = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted.strip_suffix('"')?)?,
        None if value.contains(['"', '\\']) => return None,
        None => value.to_owned(),
    };
    let fits = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len());
    (fits && key.bytes().all(|byte| byte.is_ascii_graphic())).then_some(key)
}

fn unquote(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => key.push(characters.next().filter(|next| matches!(next, '"' | '\\'))?),
            '"' => return None,
            other => key.push(other),
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_string_with_or_without_quotes() {
        for (value, key) in [
            ("\"8e03978e-40d5\"", "8e03978e-40d5"),
            ("8e03978e-40d5", "8e03978e-40d5"),
            (" \"a\\\"b\\\\c\" ", "a\"b\\c"),
            ("a,b;c=d", "a,b;c=d"),
        ] {
            assert_eq!(read(value).as_deref(), Some(key), "{value}");
        }
        assert!(
            read(&"k".repeat(255)).is_some() && read(&format!("\"{}\"", "k".repeat(255))).is_some()
        );
    }

    #[test]
    fn what_is_no_such_string_is_refused() {
        let long = "k".repeat(256);
        for value in [
            "",
            "\"\"",
            "\"",
            "\"a",
            "a\"",
            "\"a\"b\"",
            "\"a\\\"",
            "\"a\\n\"",
            "a b",
            "\"a b\"",
            "\"a\";p=1",
            "a\\b",
            "caf\u{e9}",
            &long,
        ] {
            assert_eq!(read(value), None, "{value:?}");
        }
    }
}
