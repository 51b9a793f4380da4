//! What the scopes of a request open, in words.

use breakglass_api::opens::{DefinedBy, ScopeOpens};
use serde_json::Value;

use crate::answer::{Request, one_line};

/// What has to be read before all else: scopes whose rules the service knew when they were asked for, and of which it
/// cannot say any more what they open. A line each.
pub(super) fn warnings(request: &Request) -> Vec<String> {
    let unknown = request.rules.iter().filter_map(|rule| {
        let cause = why_unknown(rule).filter(|_| rule.digest.is_some())?;
        Some(one_line(&format!("NOT KNOWN what {} opens: {cause}", rule.scope)))
    });
    unknown.collect()
}

/// What each scope opens: what follows its name.
pub(super) fn each(request: &Request) -> Vec<String> {
    request.rules.iter().map(line).collect()
}

/// What one scope opens: its name, and what follows.
pub(super) fn line(rule: &ScopeOpens) -> String {
    one_line(&opens(rule))
}

fn opens(rule: &ScopeOpens) -> String {
    let mut parts = Vec::new();
    match (&rule.digest, why_unknown(rule)) {
        (None, Some(cause)) => parts.push(format!("not known: {cause}")),
        (Some(digest), Some(cause)) => {
            parts.push(format!("not known: {cause}, which is {digest}"));
        }
        (_, None) => parts.extend(rules(rule)),
    }
    parts.extend(rule.proxies.as_ref().and_then(elsewhere));
    let access = rule.access.as_ref().map(|access| format!(" ({})", access.word()));
    format!("{}{}: {}", rule.scope, access.unwrap_or_default(), parts.join("; "))
}

fn why_unknown(rule: &ScopeOpens) -> Option<&'static str> {
    let reported = rule.proxies.as_ref().is_none_or(|proxies| proxies.same > 0);
    match (&rule.digest, &rule.methods) {
        (None, _) => Some("the service has no definition of it"),
        (Some(_), _) if !reported => Some("no proxy reports rules with its digest"),
        (Some(_), None) => Some("the service has no definition with its digest"),
        (Some(_), Some(_)) => None,
    }
}

/// The rules: what each of them adds to what is open, and what it takes.
fn rules(rule: &ScopeOpens) -> Vec<String> {
    let list = |texts: &Option<Vec<String>>| texts.as_deref().unwrap_or_default().join(", ");
    let mut parts = vec![format!("{} on {}", list(&rule.methods), list(&rule.paths))];
    for (what, texts) in
        [("switch to", &rule.upgrades), ("hosts", &rule.hosts), ("routes", &rule.routes)]
    {
        parts.extend(texts.as_ref().map(|_| format!("{what} {}", list(texts))));
    }
    parts.extend(rule.on_unavailable.as_ref().map(|word| format!("on_unavailable {word}")));
    parts.extend(rule.max_stream.as_ref().map(|long| format!("a stream takes at most {long}")));
    parts.extend(rule.redirects.as_ref().map(|word| format!("redirects {word}")));
    if let Some(Value::Object(required)) = &rule.require {
        let required: Vec<String> = required
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name} {text}"),
                other => format!("{name} {other}"),
            })
            .collect();
        parts.push(format!("requires {}", required.join(", ")));
    }
    parts
}

/// Whether it opens something else at some proxies.
fn elsewhere(proxies: &DefinedBy) -> Option<String> {
    let DefinedBy { same, other, unknown } = *proxies;
    let all = same.saturating_add(other).saturating_add(unknown);
    let mut parts = Vec::new();
    if other > 0 {
        parts.push(format!("{other} of {all} proxies define it otherwise"));
    }
    if unknown > 0 {
        parts.push(format!("{unknown} of {all} have not said"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(rules: Value) -> Request {
        serde_json::from_value(json!({
            "id": "req_1", "state": "pending", "requester": "alice", "audience": "prod",
            "scopes": ["s"], "reason": "stuck", "incident": null, "emergency": false, "duration": "30m",
            "submitted_at": "2026-11-22T02:13:00Z", "lapses_at": "2026-11-22T02:23:00Z", "rules": rules,
        }))
        .unwrap()
    }

    #[test]
    fn an_approver_reads_what_a_scope_opens_and_what_is_not_known_comes_first() {
        let rules = json!({ "scope": "s", "digest": "d", "access": "write", "methods": ["GET", "PUT"],
            "paths": ["/x", "/y/**"], "upgrades": ["websocket"], "require": { "max_lifetime": "900s", "roles": ["r"] } });
        let known = "s (write): GET, PUT on /x, /y/**; switch to websocket; requires max_lifetime 900s, roles [\"r\"]";
        let with = |more: Value| {
            let mut rules = rules.clone();
            rules.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rules
        };
        for (rules, first, line) in [
            (rules.clone(), None, known.to_owned()),
            (
                with(json!({ "proxies": { "same": 9, "other": 0, "unknown": 0 } })),
                None,
                known.to_owned(),
            ),
            (
                with(json!({ "proxies": { "same": 6, "other": 2, "unknown": 1 } })),
                None,
                format!("{known}; 2 of 9 proxies define it otherwise, 1 of 9 have not said"),
            ),
            (
                json!({ "scope": "s", "digest": "d", "proxies": { "same": 0, "other": 9, "unknown": 0 } }),
                Some("NOT KNOWN what s opens: no proxy reports rules with its digest"),
                "s: not known: no proxy reports rules with its digest, which is d; 9 of 9 proxies define it otherwise"
                    .to_owned(),
            ),
            (
                json!({ "scope": "s", "digest": "d" }),
                Some("NOT KNOWN what s opens: the service has no definition with its digest"),
                "s: not known: the service has no definition with its digest, which is d".to_owned(),
            ),
            (
                json!({ "scope": "s" }),
                None,
                "s: not known: the service has no definition of it".to_owned(),
            ),
            // A path makes no line of its own.
            (
                json!({ "scope": "s", "digest": "d", "methods": ["GET"], "paths": ["/x\nopens     s: nothing"] }),
                None,
                "s: GET on /x\u{fffd}opens     s: nothing".to_owned(),
            ),
        ] {
            let request = read(json!([rules]));
            assert_eq!(warnings(&request), Vec::from_iter(first));
            assert_eq!(each(&request), [line]);
        }
        // An older service.
        assert_eq!((warnings(&read(json!([]))), each(&read(json!([])))), (vec![], vec![]));
    }
}
