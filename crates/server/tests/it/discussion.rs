//! Questions of approvers, and answers of the requester.

use serde_json::{Value, json};

use breakglass_server::limits::MAX_REMARKS;
use breakglass_testing::service::{Answer, Service};

async fn say(service: &Service, who: &str, id: &str, verb: &str, text: &str) -> Answer {
    service.post(who, &format!("/v1/requests/{id}/{verb}"), json!({ "text": text })).await
}

#[tokio::test]
async fn an_approver_asks_and_the_requester_answers() {
    let service = Service::start().await;
    let id = service.pending().await;
    let asked = say(&service, "carol", &id, "question", "which order?").await.ok();
    assert_eq!(asked["state"], "pending");
    service.advance(30);
    let answered = say(&service, "alice", &id, "answer", "4711").await.ok();
    let expected = json!([
        { "by": "carol", "at": "2026-11-22T02:13:00Z", "kind": "question", "text": "which order?" },
        { "by": "alice", "at": "2026-11-22T02:13:30Z", "kind": "answer", "text": "4711" },
    ]);
    assert_eq!(answered["discussion"], expected);
    assert_eq!(answered["digest"], asked["digest"], "what is asked for is the same");
    assert_eq!(answered["lapses_at"], asked["lapses_at"], "and its time goes on");
    let listed = service.get("alice", "/v1/requests").await.ok();
    assert_eq!(listed["requests"][0].get("discussion"), None);
    // What was said is still there when it is decided.
    assert_eq!(service.act("carol", &id, "approve").await.ok()["discussion"], expected);
    let steps: Vec<_> = service
        .trail()
        .await
        .into_iter()
        .map(|(actor, action)| format!("{actor} {action}"))
        .collect();
    assert_eq!(steps, ["alice submit", "carol question", "alice answer", "carol approve"]);
}

#[tokio::test]
async fn others_say_nothing_and_nothing_is_said_afterwards() {
    let service = Service::start().await;
    let id = service.pending().await;
    for (who, verb, refusal) in [
        ("dave", "question", (403, "not_an_approver")),
        ("alice", "question", (403, "not_an_approver")),
        ("grace", "question", (403, "not_an_approver")),
        ("carol", "answer", (403, "not_the_requester")),
        ("bob", "answer", (403, "not_the_requester")),
        ("envoy", "question", (403, "people_only")),
        ("nobody", "answer", (401, "credential_unknown")),
    ] {
        assert_eq!(say(&service, who, &id, verb, "x").await.refusal(), refusal, "{who} {verb}");
    }
    for text in ["", "two\nlines", &"x".repeat(1025)] {
        assert_eq!(
            say(&service, "carol", &id, "question", text).await.refusal(),
            (400, "invalid_request")
        );
    }
    service.act("carol", &id, "deny").await.ok();
    for (who, verb) in [("carol", "question"), ("alice", "answer")] {
        assert_eq!(say(&service, who, &id, verb, "x").await.refusal(), (409, "not_pending"));
    }
    assert_eq!(service.trail().await.len(), 2);
}

#[tokio::test]
async fn so_much_is_said_and_no_more() {
    let service = Service::start().await;
    let id = service.pending().await;
    for number in 0..MAX_REMARKS {
        let (who, verb) = if number % 2 == 0 { ("carol", "question") } else { ("alice", "answer") };
        say(&service, who, &id, verb, "x").await.ok();
    }
    assert_eq!(
        say(&service, "carol", &id, "question", "x").await.refusal(),
        (429, "too_many_remarks")
    );
    service.act("carol", &id, "approve").await.ok();
}

/// Who waits for a decision is told that something is asked.
#[tokio::test]
async fn a_question_ends_a_wait() {
    let service = Service::start().await;
    let id = service.pending().await;
    let path = format!("/v1/requests/{id}?wait=60s");
    let wait = service.get("alice", &path);
    let ask = async {
        while service.app.waits().waiting() == 0 {
            tokio::task::yield_now().await;
        }
        say(&service, "carol", &id, "question", "which order?").await.ok()
    };
    let (waited, _): (Answer, Value) = tokio::join!(wait, ask);
    let waited = waited.ok();
    assert_eq!(
        (&waited["state"], &waited["discussion"][0]["text"]),
        (&json!("pending"), &json!("which order?"))
    );
}
