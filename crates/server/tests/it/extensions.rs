//! A request that goes on with a grant of before.

use serde_json::{Value, json};

use breakglass_testing::service::{Answer, Service};

async fn extend(service: &Service, who: &str, parent: &str, scopes: Value) -> Answer {
    let body =
        json!({ "scopes": scopes, "reason": "still at it", "duration": "15m", "extends": parent });
    service.post(who, "/v1/requests", body).await
}

#[tokio::test]
async fn an_extension_shows_what_it_goes_on_with_and_is_a_grant_of_its_own() {
    let service = Service::start().await;
    let (parent, jti) = service.approved().await;
    service.token(&parent).await;
    service.advance(1200);
    let view = extend(&service, "alice", &parent, json!(["orders:read"])).await.ok();
    let shown =
        service.get("carol", &format!("/v1/requests/{}", view["id"].as_str().unwrap())).await.ok();
    let extends = &shown["extends"];
    assert_eq!((&extends["id"], &extends["reason"]), (&json!(parent), &json!("orders are stuck")));
    assert_eq!(
        (&extends["grant"]["id"], &extends["grant"]["approved_by"]),
        (&json!(jti), &json!("carol"))
    );
    let listed = service.get("carol", "/v1/requests?state=pending").await.ok();
    assert_eq!(listed["requests"][0]["extends"], json!({ "id": parent }));
    let id = view["id"].as_str().unwrap();
    let approved = service.act("carol", id, "approve").await.ok();
    assert_ne!(approved["grant"]["id"], jti);
    assert_eq!(approved["grant"]["expires_at"], "2026-11-22T02:48:00Z", "from its own approval");
    // The grant of before ends when it would have.
    service.token(id).await;
    service.advance(600);
    for (id, state) in [(parent.as_str(), "expired"), (id, "active")] {
        let path = format!("/v1/requests/{id}");
        assert_eq!(service.get("alice", &path).await.ok()["state"], state);
    }
    // The trail names it, and the approver has read it.
    let evidence = service.get("grace", "/v1/audit/requests?subject=alice").await.ok();
    assert_eq!(evidence["requests"][1]["trail"][0]["detail"]["extends"], json!(parent));
}

#[tokio::test]
async fn it_is_for_ones_own_grant_that_holds_and_what_that_has() {
    let service = Service::start().await;
    let waiting = service.pending().await;
    let refused = extend(&service, "alice", &waiting, json!(["orders:read"])).await;
    assert_eq!(refused.refusal(), (409, "not_approved"));
    let (parent, jti) = service.approved().await;
    for (who, scopes, refusal) in [
        ("bob", json!(["orders:read"]), (403, "not_the_requester")),
        ("alice", json!(["orders:write"]), (400, "invalid_request")),
        ("alice", json!(["orders:read", "db:admin"]), (400, "invalid_request")),
    ] {
        assert_eq!(
            extend(&service, who, &parent, scopes.clone()).await.refusal(),
            refusal,
            "{who} {scopes}"
        );
    }
    let unknown = extend(&service, "alice", "req_unknown", json!(["orders:read"])).await;
    assert_eq!(unknown.refusal(), (404, "request_unknown"));
    service.revoke("carol", &jti).await.ok();
    let refused = extend(&service, "alice", &parent, json!(["orders:read"])).await;
    assert_eq!(refused.refusal(), (409, "grant_revoked"));
    assert_eq!(service.trail().await.len(), 4, "two requests, one approval, one revocation");
}

#[tokio::test]
async fn what_was_narrowed_is_not_got_back_by_an_extension() {
    let service = Service::start().await;
    let parent = service.pending_for(&["orders:read", "orders:write"]).await;
    let body = json!({ "digest": service.digest(&parent).await, "scopes": ["orders:read"] });
    service.post("carol", &format!("/v1/requests/{parent}/approve"), body).await.ok();
    let refused = extend(&service, "alice", &parent, json!(["orders:write"])).await;
    assert_eq!(refused.refusal(), (400, "invalid_request"));
    let view = extend(&service, "alice", &parent, json!(["orders:read"])).await.ok();
    assert_ne!(view["digest"], Value::Null);
}
