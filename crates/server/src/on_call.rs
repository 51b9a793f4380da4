//! Who is on call, found in an answer. Pure.

use serde_json::Value;

use crate::config::{OnCallSource, Pointed};
use crate::json_call::{Answer, Silence};

/// The most people of one schedule at a time.
const MAX_PEOPLE: usize = 100;

/// The longest name of a person, in bytes.
const MAX_BYTES: usize = 256;

/// Those on call by an answer, as the system calls them.
///
/// # Errors
/// [`Silence`] where the answer does not say who.
pub fn people(source: &OnCallSource, answer: &Answer) -> Result<Vec<String>, Silence> {
    let mistaken = |cause: &str, field: &str| Silence {
        cause: cause.to_owned(),
        to_do: Some(format!("let `on_call.{field}` be where its answers have it")),
    };
    let Answer::Document(document) = answer else {
        return Err(Silence::of("it knows no such schedule"));
    };
    let list = match &source.list {
        None => document,
        Some(pointer) => match pointer.find(document) {
            Pointed::Value(list) => list,
            Pointed::EmptyList => return Ok(Vec::new()),
            Pointed::Nothing => {
                return Err(mistaken("its answer has no list of those on call", "list"));
            }
        },
    };
    let Value::Array(entries) = list else {
        return Err(mistaken("what its answer has of those on call is no list", "list"));
    };
    if entries.len() > MAX_PEOPLE {
        return Err(Silence::of(format!("more than {MAX_PEOPLE} people are on call")));
    }
    let person = |entry: &Value| {
        let value = match &source.person {
            None => Some(entry),
            Some(pointer) => match pointer.find(entry) {
                Pointed::Value(value) => Some(value),
                Pointed::EmptyList | Pointed::Nothing => None,
            },
        };
        let name = value.and_then(Value::as_str);
        name.filter(|name| !name.is_empty() && name.len() <= MAX_BYTES).map(str::to_owned)
    };
    let people: Option<Vec<String>> = entries.iter().map(person).collect();
    people.ok_or_else(|| mistaken("an entry of its answer has no person", "person"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;

    fn source(more: &str) -> OnCallSource {
        let text = format!(
            "listen = '127.0.0.1:0'\nissuer = 'https://approvals.test'\ndatabase = 'd'\nkey_directory = 'k'\n\
             [[people]]\nname = 'ann'\ntoken_sha256 = '{:064x}'\n\
             [[scopes]]\nname = 'orders'\naudience = 'prod'\nrequesters = ['ops']\napprovers = ['on-call:x']\nmax_duration = '1h'\n\
             [on_call]\nurl = 'https://pager.test/{{schedule}}'\n{more}",
            1
        );
        Config::parse(&text).unwrap().on_call.unwrap()
    }

    /// Answers as the documents of PagerDuty and Opsgenie describe them, which were not seen from these systems; a plain list; and
    /// others that say nothing.
    #[test]
    fn those_on_call_are_found_or_it_is_silence() {
        let pagerduty = "list = '/oncalls'\nperson = '/user/email'";
        let opsgenie = "list = '/data/onCallRecipients'";
        let of =
            |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        for (more, document, expected) in [
            (
                pagerduty,
                json!({ "oncalls": [{ "user": { "email": "bob@x" } }, { "user": { "email": "carol@x" } }] }),
                of(&["bob@x", "carol@x"]),
            ),
            (pagerduty, json!({ "oncalls": [] }), of(&[])),
            (opsgenie, json!({ "data": { "onCallRecipients": ["bob@x"] } }), of(&["bob@x"])),
            ("", json!(["bob"]), of(&["bob"])),
            ("", json!([]), of(&[])),
            // What is no answer.
            (
                pagerduty,
                json!({ "oncalls": [{ "user": { "email": "bob@x" } }, { "user": { "id": "P1" } }] }),
                None,
            ),
            (pagerduty, json!({ "oncalls": [{ "user": { "email": null } }] }), None),
            (pagerduty, json!({ "oncalls": [{ "user": { "email": ["bob@x"] } }] }), None),
            (pagerduty, json!({ "oncalls": { "user": "bob" } }), None),
            (pagerduty, json!({ "error": "unauthorized" }), None),
            (opsgenie, json!({ "data": {} }), None),
            ("", json!("bob"), None),
            ("", json!({ "bob": true }), None),
            ("", json!([""]), None),
            ("", json!(["b".repeat(257)]), None),
            ("", json!(vec!["bob"; 101]), None),
            ("", json!(null), None),
        ] {
            let found = people(&source(more), &Answer::Document(document.clone()));
            assert_eq!(found.ok(), expected, "{more} {document}");
        }
        assert!(people(&source(""), &Answer::NotThere).is_err());
    }
}
