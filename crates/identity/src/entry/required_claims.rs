//! Claims that an ID token must have.

use std::collections::BTreeMap;

use breakglass_config_schema::{Reader, list, map, parsed};
use breakglass_types::json::Json;

use super::read::{distinct, visible};

/// Claims that an ID token must have, each with the values of which it must have one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequiredClaims(BTreeMap<String, Vec<String>>);

pub(super) fn required_claims() -> impl Reader<Value = RequiredClaims> {
    let values = list(parsed("text", visible)).and_then(distinct);
    map("claim", visible, values).and_then(|claims, _| Some(RequiredClaims(claims)))
}

impl RequiredClaims {
    /// Whether this claim is among them.
    #[must_use]
    pub fn names(&self, claim: &str) -> bool {
        self.0.contains_key(claim)
    }

    /// The first claim that these claims do not have as it must be.
    #[must_use]
    pub fn unmet_by(&self, claims: &Json) -> Option<&str> {
        let is_unmet = |(name, values): &(&String, &Vec<String>)| {
            !claims.member(name).is_some_and(|value| is_one_of(value, values))
        };
        self.0.iter().find(is_unmet).map(|(name, _)| name.as_str())
    }
}

/// Whether a claim has one of these values; of a list one item is enough.
fn is_one_of(value: &Json, values: &[String]) -> bool {
    match value {
        Json::String(text) => values.contains(text),
        // Entra's `acct` is a number, `email_verified` a boolean that some providers write as text.
        Json::Number(_) | Json::Bool(_) => values.contains(&value.to_string()),
        Json::Array(items) => {
            items.iter().any(|item| item.as_array().is_none() && is_one_of(item, values))
        }
        Json::Null | Json::Object(_) => false,
    }
}
