use super::*;

/// A use as the filter records it: by the approved rules, which its token names too.
fn record(changes: Value) -> Value {
    with(
        json!({"time": "2026-11-22T02:13:00.000Z", "decision": "allow", "grant": "g", "scope": "s",
            "scope_digest": "approved", "node": "n1"}),
        changes,
    )
}

fn with(mut value: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("{changes}") };
    value.as_object_mut().unwrap().extend(changes);
    value
}

/// A request for `s` and `u`, whose trail says which rules of `s` were approved.
fn request() -> Value {
    json!({
        "request": {"id": "req_1", "scopes": ["s", "u"], "grant": {"id": "g"}},
        "trail": [
            {"action": "submit", "detail": {"scope_digests": {"s": "approved"}}},
            {"action": "approve", "detail": {"digest": "d", "scope_digests": {"s": "approved"}}},
            {"action": "issue_token", "detail": {}},
        ],
    })
}

fn compare(records: &[Value]) -> Value {
    against_trail(records.iter(), &[request()])
}

/// The kinds of what is found of one use, and why it is not compared.
fn of_one(changes: Value) -> (Vec<String>, Vec<String>) {
    let compared = compare(&[record(changes)]);
    let findings = compared["findings"].as_array().unwrap().iter();
    let reasons = compared["not_compared"].as_object().unwrap().keys().cloned().collect();
    (findings.map(|found| found["kind"].as_str().unwrap().to_owned()).collect(), reasons)
}

#[test]
fn each_use_is_as_approved_or_found_or_not_compared() {
    for (changes, found, reason) in [
        (json!({}), None, None),
        // The proxy was edited, and the token is the service's.
        (
            json!({"scope_digest": "wider", "approved_digest": "approved"}),
            Some("rules_not_approved"),
            None,
        ),
        // The token says that other rules were approved than were, by a proxy that has those or others.
        (json!({"scope_digest": "wider"}), Some("token_not_as_approved"), None),
        (
            json!({"scope_digest": "wider", "approved_digest": "claimed"}),
            Some("token_not_as_approved"),
            None,
        ),
        (json!({"approved_digest": "claimed"}), Some("token_not_as_approved"), None),
        (
            json!({"scope_digest": null, "approved_digest": "claimed"}),
            Some("token_not_as_approved"),
            None,
        ),
        (json!({"scope": "t"}), Some("scope_not_approved"), None),
        (json!({"scope": "t", "scope_digest": null}), Some("scope_not_approved"), None),
        // A cut call was let through first.
        (json!({"decision": "cut", "scope_digest": "wider"}), Some("token_not_as_approved"), None),
        // A refusal is no use.
        (json!({"decision": "deny", "scope_digest": "wider"}), None, None),
        (json!({"decision": "shadow_deny", "scope_digest": "wider"}), None, None),
        // No more than is known.
        (json!({"scope": "u"}), None, Some("no_approved_digest")),
        (json!({"scope": "u", "scope_digest": "wider"}), None, Some("no_approved_digest")),
        (json!({"scope": null, "scope_digest": "wider"}), None, Some("no_scope_digest")),
        (json!({"scope_digest": null}), None, Some("no_scope_digest")),
        (json!({"grant": "h", "scope_digest": "wider"}), None, Some("grant_not_listed")),
        (json!({"grant": null}), None, Some("grant_not_listed")),
    ] {
        let expected = (
            found.map(str::to_owned).into_iter().collect(),
            reason.map(str::to_owned).into_iter().collect(),
        );
        assert_eq!(of_one(changes.clone()), expected, "{changes}");
    }
}

#[test]
fn a_trail_that_names_no_digest_says_neither_that_a_use_is_right_nor_that_it_is_wrong() {
    let use_ = [record(json!({"scope_digest": "wider", "approved_digest": "claimed"}))];
    for (pointer, value) in [
        // As a service of before wrote it, and without the step.
        ("/trail/1/detail", json!({})),
        ("/trail/1/detail/scope_digests", json!({})),
        ("/trail/1/detail/scope_digests/s", Value::Null),
        ("/trail/1/action", json!("held")),
        ("/trail", json!([])),
        ("/trail", Value::Null),
    ] {
        let mut of_before = request();
        *of_before.pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            against_trail(use_.iter(), &[of_before.clone()]),
            json!({"compared": 0, "not_compared": {"no_approved_digest": 1}, "findings": []}),
            "{of_before}"
        );
    }
    // A request that was not approved has no grant.
    let mut pending = request();
    pending["request"].as_object_mut().unwrap().remove("grant");
    assert_eq!(
        against_trail(use_.iter(), &[pending])["not_compared"],
        json!({"grant_not_listed": 1})
    );
}

#[test]
fn uses_are_counted_by_what_is_wrong_with_them() {
    let wider = json!({"scope_digest": "wider", "approved_digest": "approved"});
    let records = [
        record(with(wider.clone(), json!({"time": "2026-11-22T02:15:00.000Z", "node": "n2"}))),
        record(wider),
        record(json!({})),
        record(json!({})),
        record(json!({"scope_digest": "wider"})),
        record(json!({"grant": "h"})),
        record(json!({"grant": "h"})),
        record(json!({"scope": "u"})),
    ];
    assert_eq!(
        compare(&records),
        json!({
            "compared": 5, "not_compared": {"grant_not_listed": 2, "no_approved_digest": 1},
            "findings": [
                {"kind": "token_not_as_approved", "grant": "g", "scope": "s", "trail_digest": "approved",
                    "token_digest": null, "scope_digest": "wider", "requests": 1,
                    "first": "2026-11-22T02:13:00.000Z", "last": "2026-11-22T02:13:00.000Z", "nodes": ["n1"]},
                {"kind": "rules_not_approved", "grant": "g", "scope": "s", "trail_digest": "approved",
                    "token_digest": "approved", "scope_digest": "wider", "requests": 2,
                    "first": "2026-11-22T02:13:00.000Z", "last": "2026-11-22T02:15:00.000Z", "nodes": ["n1", "n2"]},
            ],
        })
    );
    let lines = lines(&compare(&records));
    let expected = "approvals     5 uses compared, not: 2 grant_not_listed, 1 no_approved_digest";
    assert_eq!(lines[0], expected);
    assert!(
        lines[1].starts_with("NOT APPROVED  token_not_as_approved: the token does not name"),
        "{lines:?}"
    );
    assert!(
        lines[1].ends_with("the token the used ones or none, used were \"wider\""),
        "{lines:?}"
    );
    assert!(lines[2].contains("2 requests from"), "{lines:?}");
    assert!(super::lines(&compare(&[])).is_empty());
    assert_eq!(super::lines(&compare(&[record(json!({}))])), ["approvals     1 uses compared"]);
}

#[test]
fn what_an_attacker_wrote_into_the_log_stays_a_text_in_one_line() {
    let hostile = "\u{1b}[2K\n\u{202e}x";
    let records = [record(json!({"scope": hostile, "node": hostile, "scope_digest": hostile}))];
    for line in lines(&compare(&records)) {
        assert!(
            !line.chars().any(|character| character.is_control() || character == '\u{202e}'),
            "{line:?}"
        );
    }
}

/// A scope that was asked for and left out is no scope of the grant.
#[test]
fn a_scope_that_an_approval_left_out_was_not_approved() {
    let mut request = request();
    request["trail"][1]["detail"]["scopes"] = json!(["s"]);
    let uses = [record(json!({})), record(json!({"scope": "u", "scope_digest": "any"}))];
    let compared = against_trail(uses.iter(), &[request.clone()]);
    assert_eq!((&compared["compared"], &compared["not_compared"]), (&json!(2), &json!({})));
    let findings = compared["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(
        (&findings[0]["kind"], &findings[0]["scope"]),
        (&json!("scope_not_approved"), &json!("u"))
    );
    // Of several approvals each leaves out what it leaves out.
    let more = json!({"action": "approve", "detail": {"scopes": ["u"]}});
    request["trail"].as_array_mut().unwrap().insert(1, more);
    let compared = against_trail(uses.iter(), &[request]);
    assert_eq!(compared["findings"].as_array().unwrap().len(), 2, "{compared}");
}
