//! Which grants are reviewed, when that is owed, and when it is overdue: each is told once, whatever the clock does.

use breakglass_server::clock::Moment;
use breakglass_server::domain::{end_holders, owe_reviews, tell_overdue_reviews};
use breakglass_testing::service::{START, Service};
use serde_json::{Value, json};

use crate::common::{
    RULE, SKEW_S, WITHIN_S, beside, by_service, decide, events, of_request, owed, service, shown,
    used, with,
};

/// By each end of a used grant its review is owed once, and says how the grant ended.
#[tokio::test]
async fn each_end_of_a_used_grant_is_reviewed_once() {
    for end in ["expired", "revoked", "given back", "kill switch", "left"] {
        let service = service(RULE).await;
        let (request, jti) = used(&service, &["orders:read"]).await;
        service.tick().await;
        assert_eq!(of_request(&service, &request).await["state"], "waiting", "{end}");
        let ended = match end {
            "expired" => {
                service.advance(1800 + SKEW_S - 1);
                service.tick().await;
                assert_eq!(events(&service).await, [], "{end}: a filter's clock may be late");
                service.advance(1);
                json!({ "how": "expired", "at": "2026-11-22T02:43:00Z" })
            }
            "revoked" => {
                service.revoke("carol", &jti).await.ok();
                json!({ "how": "revoked", "at": "2026-11-22T02:13:00Z", "by": "carol", "reason": "laptop lost" })
            }
            "given back" => {
                service.revoke("alice", &jti).await.ok();
                json!({ "how": "revoked", "at": "2026-11-22T02:13:00Z", "by": "alice", "reason": "laptop lost" })
            }
            "kill switch" => {
                service.kill("carol", json!({ "scope": "orders:read" })).await.ok();
                json!({ "how": "revoked", "at": "2026-11-22T02:13:00Z", "by": "carol", "reason": "keys leaked" })
            }
            _ => {
                let text = with(&service.directory, RULE);
                let text = text.replace("name = \"alice\"", "name = \"another\"");
                let config = breakglass_server::config::Config::parse(&text);
                service.app.reconfigure(config.unwrap());
                end_holders(&service.app).await.unwrap();
                json!({ "how": "revoked", "at": "2026-11-22T02:13:00Z", "by": "service", "reason": "holder_left" })
            }
        };
        for _ in 0..3 {
            service.tick().await;
        }
        assert_eq!(events(&service).await, by_service(&["owed"]), "{end}");
        let review = of_request(&service, &request).await;
        assert_eq!(review["state"], "owed", "{end}");
        let shown = shown(&service, "grace", review["id"].as_str().unwrap()).await;
        assert_eq!(shown["ended"], ended, "{end}");
        assert_eq!(shown["review"]["rules"], json!(["orders"]), "{end}");
        let page = service.get("grace", "/v1/audit/events").await.ok();
        let event = page["events"].as_array().unwrap().last().unwrap().clone();
        let said = [&event["data"]["review"], &event["data"]["ended"], &event["grant"]];
        assert_eq!(said, [&review["id"], &ended, &json!(jti)], "{end}");
    }
}

/// What is over can still be revoked, and ended by its time all the same: what was read of it stays so.
#[tokio::test]
async fn a_revocation_of_what_is_over_changes_nothing_of_its_review() {
    let service = service(RULE).await;
    let (request, jti) = used(&service, &["orders:read"]).await;
    service.advance(1800 + SKEW_S);
    service.tick().await;
    let id = of_request(&service, &request).await["id"].as_str().unwrap().to_owned();
    let before = shown(&service, "grace", &id).await;
    assert_eq!(before["ended"]["how"], "expired");
    service.revoke("carol", &jti).await.ok();
    service.tick().await;
    let after = shown(&service, "grace", &id).await;
    assert_eq!((&after["ended"], &after["digest"]), (&before["ended"], &before["digest"]));
    assert_eq!(events(&service).await, by_service(&["owed"]));
}

#[tokio::test]
async fn what_no_rule_asks_for_and_what_was_not_used_is_not_reviewed() {
    let service = service(RULE).await;
    let (other, jti) = used(&service, &["staging:read"]).await;
    service.revoke("carol", &jti).await.ok();
    let (unused, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    let (lapsed, _) = service.approved().await;
    service.advance(7200);
    service.tick().await;
    for request in [other, unused, lapsed] {
        assert_eq!(of_request(&service, &request).await, Value::Null);
    }
    assert_eq!(events(&service).await, []);
    // A used one of a scope of the rule is.
    owed(&service).await;
    assert_eq!(events(&service).await, by_service(&["owed"]));
}

/// The rules of the first token count: the shortest time, and the strictest consequence.
#[tokio::test]
async fn what_is_asked_for_is_fixed_with_the_first_token() {
    let rule = |name: &str, scope: &str, review: &str| {
        format!(
            "[[approval_rules]]\nname = \"{name}\"\nscopes = [\"{scope}\"]\nneed = [{{ from = [\"commanders\"] }}]\n{review}\n"
        )
    };
    let rules = [
        rule(
            "long",
            "orders:read",
            "review = { within = \"7days\", overdue = \"needs_approval\" }",
        ),
        rule("short", "orders:write", "review = { within = \"1day\" }"),
        rule("other", "staging:read", "review = { within = \"1h\" }"),
        rule("none", "orders:read", ""),
    ]
    .concat();
    let service = service(&rules).await;
    let (request, jti) = used(&service, &["orders:read", "orders:write"]).await;
    // From now on the configuration asks for less, and for a token that is not the first.
    let text = with(&service.directory, "");
    service.app.reconfigure(breakglass_server::config::Config::parse(&text).unwrap());
    service.token(&request).await;
    service.revoke("alice", &jti).await.ok();
    service.tick().await;
    let id = of_request(&service, &request).await["id"].as_str().unwrap().to_owned();
    let review = &shown(&service, "grace", &id).await["review"];
    assert_eq!(review["rules"], json!(["long", "short"]));
    assert_eq!(review["needs_approval"], true);
    assert_eq!(
        (&review["owed_at"], &review["due_at"]),
        (&json!("2026-11-22T02:13:00Z"), &json!("2026-11-23T02:13:00Z"))
    );
}

#[tokio::test]
async fn a_deadline_that_passes_is_told_once_and_can_still_be_met_late() {
    let service = service(RULE).await;
    let id = owed(&service).await;
    service.advance(WITHIN_S - 1);
    service.tick().await;
    assert_eq!(events(&service).await, by_service(&["owed"]));
    service.advance(1);
    for _ in 0..3 {
        service.tick().await;
    }
    // The clock goes back: what was told was told.
    service.step(-7200);
    service.tick().await;
    service.step(7200);
    service.advance(WITHIN_S);
    service.tick().await;
    assert_eq!(events(&service).await, by_service(&["owed", "overdue"]));
    assert_eq!(shown(&service, "grace", &id).await["review"]["state"], "overdue");
    let signed = decide(&service, "frank", &id, "sign").await.ok();
    assert_eq!(signed["state"], "signed");
    service.advance(WITHIN_S);
    service.tick().await;
    let mut expected = by_service(&["owed", "overdue"]);
    expected.push(("signed".to_owned(), "frank".to_owned()));
    assert_eq!(events(&service).await, expected);
}

#[tokio::test]
async fn what_is_decided_in_time_is_never_overdue() {
    for (verb, state) in [("sign", "signed"), ("dispute", "disputed")] {
        let service = service(RULE).await;
        let id = owed(&service).await;
        decide(&service, "frank", &id, verb).await.ok();
        service.advance(WITHIN_S * 2);
        service.tick().await;
        assert_eq!(shown(&service, "grace", &id).await["review"]["state"], state);
        let mut expected = by_service(&["owed"]);
        expected.push((state.to_owned(), "frank".to_owned()));
        assert_eq!(events(&service).await, expected);
    }
}

/// Two services on one database look at once.
#[tokio::test(flavor = "multi_thread")]
async fn several_looks_at_once_tell_each_once() {
    let service = service(RULE).await;
    for _ in 0..5 {
        used(&service, &["orders:read"]).await;
        service.advance(1);
    }
    let other = beside(service.directory.path(), RULE, START + 5).await;
    let later = |seconds: i64| Moment::from_seconds(START + seconds);
    let now = later(1810 + SKEW_S);
    let (one, two, three) = tokio::join!(
        owe_reviews(&service.app, now),
        owe_reviews(&other.app, now),
        owe_reviews(&other.app, now)
    );
    assert_eq!([one, two, three].into_iter().map(Result::unwrap).sum::<usize>(), 5);
    let now = later(1810 + SKEW_S + WITHIN_S);
    let (one, two, three) = tokio::join!(
        tell_overdue_reviews(&service.app, now),
        tell_overdue_reviews(&other.app, now),
        tell_overdue_reviews(&service.app, now)
    );
    assert_eq!([one, two, three].into_iter().map(Result::unwrap).sum::<usize>(), 5);
    let kinds = ["owed"; 5].into_iter().chain(["overdue"; 5]).collect::<Vec<_>>();
    assert_eq!(events(&service).await, by_service(&kinds));
}

/// Whether an emergency of this person waits for an approval.
async fn holds_back(service: &Service, person: &str) -> bool {
    let mut change = service.app.store().change().await.unwrap();
    let holds = change.has_overdue_review(service.app.now(), person).await.unwrap();
    change.abandon().await.unwrap();
    holds
}

#[tokio::test]
async fn an_overdue_review_holds_its_requester_back_where_a_rule_says_so() {
    for (overdue, expected) in [("tells", false), ("needs_approval", true)] {
        let rule = RULE.replace("\"3days\"", &format!("\"3days\", overdue = \"{overdue}\""));
        let service = service(&rule).await;
        let id = owed(&service).await;
        assert!(!holds_back(&service, "alice").await, "{overdue}: it is not overdue");
        service.advance(WITHIN_S);
        // Before the service has told it, and afterwards, whatever the clock says then.
        assert_eq!(holds_back(&service, "alice").await, expected, "{overdue}");
        service.tick().await;
        service.step(-3600);
        assert_eq!(holds_back(&service, "alice").await, expected, "{overdue}");
        service.step(3600);
        assert!(!holds_back(&service, "bob").await, "{overdue}: another person");
        decide(&service, "frank", &id, "dispute").await.ok();
        assert!(!holds_back(&service, "alice").await, "{overdue}: it is closed");
    }
}
