//! How long requesters wait, and how grants are revoked, as it is counted.

use breakglass_server::config::Config;
use breakglass_server::domain::end_holders;
use breakglass_testing::credentials::without;
use breakglass_testing::service::{Service, config};
use serde_json::{Value, json};

/// How often requesters have waited for this, and for how many seconds together.
async fn waits(service: &Service, what: &str, emergency: bool) -> (i64, i64) {
    let of = |part: &str| {
        format!("breakglass_request_{what}_seconds_{part}{{emergency=\"{emergency}\"}}")
    };
    (service.counter(&of("count")).await, service.counter(&of("sum")).await)
}

async fn all_waits(service: &Service, emergency: bool) -> [(i64, i64); 3] {
    [
        waits(service, "first_answer", emergency).await,
        waits(service, "approval", emergency).await,
        waits(service, "activation", emergency).await,
    ]
}

async fn say(service: &Service, who: &str, id: &str, verb: &str) {
    service.post(who, &format!("/v1/requests/{id}/{verb}"), json!({ "text": "?" })).await.ok();
}

#[tokio::test]
async fn waits_count_from_the_submission_to_what_was_waited_for() {
    let service = Service::start().await;
    let id = service.pending().await;
    service.advance(30);
    service.act("carol", &id, "approve").await.ok();
    service.advance(15);
    service.token(&id).await;
    assert_eq!(all_waits(&service, false).await, [(1, 30), (1, 30), (1, 45)]);
    service.advance(15);
    service.token(&id).await;
    assert_eq!(all_waits(&service, false).await, [(1, 30), (1, 30), (1, 45)], "the first token");
    assert_eq!(all_waits(&service, true).await, [(0, 0); 3]);
}

#[tokio::test]
async fn the_first_answer_is_a_question_or_a_decision_and_never_the_requesters() {
    let service = Service::start().await;
    let id = service.pending().await;
    service.advance(10);
    say(&service, "alice", &id, "answer").await;
    assert_eq!(waits(&service, "first_answer", false).await, (0, 0), "it is the requester's");
    service.advance(10);
    say(&service, "carol", &id, "question").await;
    assert_eq!(waits(&service, "first_answer", false).await, (1, 20));
    service.advance(10);
    say(&service, "carol", &id, "question").await;
    service.act("carol", &id, "approve").await.ok();
    assert_eq!(waits(&service, "first_answer", false).await, (1, 20), "once");
    assert_eq!(waits(&service, "approval", false).await, (1, 30));

    let denied = service.pending().await;
    service.advance(5);
    say(&service, "alice", &denied, "answer").await;
    let deny = format!("/v1/requests/{denied}/deny");
    service.post("carol", &deny, json!({ "reason": "no" })).await.ok();
    assert_eq!(waits(&service, "first_answer", false).await, (2, 25));
    assert_eq!(waits(&service, "approval", false).await, (1, 30));
}

#[tokio::test]
async fn a_wait_goes_on_across_a_restart_and_an_emergency_is_told_apart() {
    let service = Service::start().await;
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "incident": "INC-1",
        "duration": "30m", "emergency": true });
    let asked = service.post("alice", "/v1/requests", body).await.ok();
    let id = asked["id"].as_str().unwrap();
    let service = service.restart(100).await;
    service.act("carol", id, "approve").await.ok();
    assert_eq!(all_waits(&service, true).await, [(1, 100), (1, 100), (0, 0)]);
    assert_eq!(all_waits(&service, false).await, [(0, 0); 3]);
}

#[tokio::test]
async fn revoked_grants_are_counted_by_how() {
    let service = Service::start().await;
    let (_, given_back) = service.approved().await;
    let (_, revoked) = service.approved().await;
    service.revoke("alice", &given_back).await.ok();
    service.revoke("carol", &revoked).await.ok();
    service.revoke("carol", &revoked).await.ok();
    service.approved().await;
    service.approved().await;
    service.kill("carol", json!({ "all": true })).await.ok();
    service.approved().await;
    let text = without(&config(&service.directory), "alice");
    service.app.reconfigure(Config::parse(&text).unwrap());
    end_holders(&service.app).await.unwrap();
    let mut counted = Vec::new();
    for how in ["given_back", "revoked", "kill_switch", "holder_left"] {
        let name = format!("breakglass_grants_revoked_total{{how=\"{how}\"}}");
        counted.push(service.counter(&name).await);
    }
    assert_eq!(counted, [1, 1, 2, 1]);
    assert_eq!(service.counter("breakglass_changes_total{action=\"revoke\"}").await, 5);
}

#[tokio::test]
async fn how_long_answers_take_is_counted_by_endpoint() {
    let service = Service::start().await;
    service.pending().await;
    let count = "breakglass_http_request_duration_seconds_count{endpoint=\"/v1/requests\"}";
    assert_eq!(service.counter(count).await, 1);
    let _: Value = service.get("alice", "/v1/requests").await.ok();
    assert_eq!(service.counter(count).await, 2);
}
