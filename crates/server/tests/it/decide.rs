//! `POST /v1/requests/{id}/deny` and `/cancel`.

use serde_json::json;

use breakglass_testing::service::Service;

#[tokio::test]
async fn an_approver_denies_and_says_why() {
    let service = Service::start().await;
    let id = service.pending().await;
    let view = service.act("carol", &id, "deny").await.ok();
    assert_eq!(view["state"], "denied");
    assert_eq!(
        view["denied"],
        json!({ "by": "carol", "at": "2026-11-22T02:13:00Z", "reason": "because" })
    );
    assert_eq!(service.act("carol", &id, "deny").await.refusal(), (409, "not_pending"));
    assert_eq!(service.act("frank", &id, "approve").await.refusal(), (409, "not_pending"));
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "not_approved"));
    assert_eq!(service.trail().await.len(), 2);
}

#[tokio::test]
async fn an_approver_of_one_scope_is_enough_for_a_no() {
    let service = Service::start().await;
    let id = service.pending_for(&["orders:read", "db:admin"]).await;
    service.act("dave", &id, "deny").await.ok();
}

#[tokio::test]
async fn nobody_else_denies() {
    let service = Service::start().await;
    let id = service.pending().await;
    for (who, refusal) in [
        ("dave", (403, "not_an_approver")),
        ("erin", (403, "not_an_approver")),
        ("alice", (403, "not_an_approver")),
        ("envoy", (403, "people_only")),
    ] {
        assert_eq!(service.act(who, &id, "deny").await.refusal(), refusal, "{who}");
    }
    let path = format!("/v1/requests/{id}/deny");
    let silent = service.post("carol", &path, json!({ "reason": "" })).await;
    assert_eq!(silent.refusal(), (400, "invalid_request"));
    assert_eq!(service.get("alice", &format!("/v1/requests/{id}")).await.ok()["state"], "pending");
    let unknown = service.act("carol", "req_unknown", "deny").await;
    assert_eq!(unknown.refusal(), (404, "request_unknown"));
}

#[tokio::test]
async fn the_requester_takes_it_back() {
    let service = Service::start().await;
    let id = service.pending().await;
    for (who, refusal) in [
        ("carol", (403, "not_the_requester")),
        ("erin", (403, "not_the_requester")),
        ("envoy", (403, "people_only")),
    ] {
        assert_eq!(service.act(who, &id, "cancel").await.refusal(), refusal, "{who}");
    }
    let view = service.act("alice", &id, "cancel").await.ok();
    assert_eq!(
        (&view["state"], &view["cancelled_at"]),
        (&json!("cancelled"), &json!("2026-11-22T02:13:00Z"))
    );
    assert_eq!(service.act("alice", &id, "cancel").await.refusal(), (409, "not_pending"));
    assert_eq!(service.act("carol", &id, "approve").await.refusal(), (409, "not_pending"));
    let unknown = service.act("alice", "req_unknown", "cancel").await;
    assert_eq!(unknown.refusal(), (404, "request_unknown"));
}

#[tokio::test]
async fn what_is_approved_is_revoked_not_cancelled() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let answer = service.act("alice", &id, "cancel").await;
    assert_eq!(answer.refusal(), (409, "not_pending"));
    assert!(answer.body["detail"].as_str().unwrap().contains("breakglass revoke"));
}
