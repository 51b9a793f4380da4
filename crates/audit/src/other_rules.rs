//! Uses of a grant under other rules than those that were approved: the proxy that let a call through had changed the
//! scope since, or never had it as the approver saw it. By the word of that proxy's own records.

use serde_json::{Value, json};

use super::uses::{Grouped, count, is_use, quoted, text};

/// Which grant, which scope, which rules.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Use<'r> {
    grant: &'r str,
    scope: &'r str,
    approved: &'r str,
    used: &'r str,
}

/// What was let through under other rules, in these records; a refusal is no use.
pub(super) fn other_rules<'r>(records: impl Iterator<Item = &'r Value>) -> Vec<Value> {
    let mut found: Grouped<'r, Use<'r>> = Grouped::new();
    for record in records.filter(|record| is_use(record)) {
        let text = |name: &str| text(record, name);
        let Some(approved) = record.get("approved_digest").and_then(Value::as_str) else {
            continue;
        };
        let used = text("scope_digest");
        let of = Use { grant: text("grant"), scope: text("scope"), approved, used };
        count(&mut found, of, record);
    }
    let of = |Use { grant, scope, approved, used }| {
        json!({
            "grant": grant, "scope": scope, "approved_digest": approved, "scope_digest": used,
        })
    };
    found.into_iter().map(|(key, uses)| uses.json(of(key))).collect()
}

/// A line for a person, which stands in a terminal: what comes from the log is in quotes.
pub(super) fn line(found: &Value) -> String {
    let quoted = |name: &str| quoted(found, name);
    format!(
        "other rules   used under other rules than were approved: grant {}, scope {}: {} requests from {} to {} by proxies \
         {}; approved were {}, used {}",
        quoted("grant"),
        quoted("scope"),
        quoted("requests"),
        quoted("first"),
        quoted("last"),
        quoted("nodes"),
        quoted("approved_digest"),
        quoted("scope_digest"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(changes: Value) -> Value {
        let mut record = json!({"time": "2026-11-22T02:13:00.000Z", "decision": "allow", "grant": "g", "scope": "s",
            "scope_digest": "used", "approved_digest": "approved", "node": "n1"});
        for (name, value) in changes.as_object().unwrap() {
            record[name] = value.clone();
        }
        record
    }

    #[test]
    fn uses_are_counted_by_grant_scope_and_rules() {
        let records = [
            record(json!({"time": "2026-11-22T02:15:00.000Z", "node": "n2", "decision": "cut"})),
            record(json!({})),
            record(json!({"grant": "h"})),
            record(json!({"scope_digest": "wider"})),
            record(json!({"time": "2026-11-22T02:14:00.000Z"})),
            // No uses.
            record(json!({"decision": "deny"})),
            record(json!({"decision": "shadow_deny"})),
            record(json!({"approved_digest": null})),
        ];
        let found = other_rules(records.iter());
        let said = |found: &Value| {
            (found["grant"].clone(), found["scope_digest"].clone(), found["requests"].clone())
        };
        assert_eq!(
            found.iter().map(said).collect::<Vec<_>>(),
            [
                (json!("g"), json!("used"), json!(3)),
                (json!("g"), json!("wider"), json!(1)),
                (json!("h"), json!("used"), json!(1)),
            ]
        );
        assert_eq!(
            found[0],
            json!({"grant": "g", "scope": "s", "approved_digest": "approved", "scope_digest": "used",
                "requests": 3, "first": "2026-11-22T02:13:00.000Z", "last": "2026-11-22T02:15:00.000Z",
                "nodes": ["n1", "n2"]})
        );
    }

    #[test]
    fn what_an_attacker_wrote_into_the_log_stays_a_text_in_one_line() {
        let hostile = "\u{1b}[2K\n\u{202e}x";
        let found = other_rules([record(json!({"grant": hostile, "node": hostile}))].iter());
        let line = line(&found[0]);
        assert!(
            !line.chars().any(|character| character.is_control() || character == '\u{202e}'),
            "{line:?}"
        );
    }
}
