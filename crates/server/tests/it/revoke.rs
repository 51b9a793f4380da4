//! `POST /v1/grants/{jti}/revoke` and `POST /oauth2/revoke` (RFC 7009).

use serde_json::json;

use breakglass_testing::service::{START, Service, config};

#[tokio::test]
async fn an_approver_revokes_and_a_second_time_tells_of_the_first() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    service.advance(60);
    let first = service.revoke("frank", &jti).await.ok();
    assert_eq!(
        first,
        json!({
            "grant": jti, "epoch": 1, "expires_at": "2026-11-22T02:43:00Z",
            "approved_at": "2026-11-22T02:13:00Z",
            "revoked": { "by": "frank", "at": "2026-11-22T02:14:00Z", "reason": "laptop lost" },
        })
    );
    service.advance(60);
    assert_eq!(service.revoke("carol", &jti).await.ok(), first);
    let view = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(view["state"], "revoked");
    assert_eq!(view["grant"]["revoked"], first["revoked"]);
    assert_eq!(service.trail().await.len(), 3);
}

#[tokio::test]
async fn the_epoch_only_grows() {
    let service = Service::start().await;
    for epoch in 1..4 {
        let (_, jti) = service.approved().await;
        assert_eq!(service.revoke("alice", &jti).await.ok()["epoch"], epoch);
    }
}

#[tokio::test]
async fn the_holder_and_an_approver_of_one_scope_may_and_nobody_else() {
    let service = Service::start().await;
    let id = service.pending_for(&["orders:read", "db:admin"]).await;
    let view = service.act("frank", &id, "approve").await.ok();
    let jti = view["grant"]["id"].as_str().unwrap();
    for (who, refusal) in [
        ("erin", (403, "not_an_approver")),
        ("envoy", (403, "people_only")),
        ("nobody", (401, "credential_unknown")),
    ] {
        assert_eq!(service.revoke(who, jti).await.refusal(), refusal, "{who}");
    }
    service.revoke("dave", jti).await.ok();
    let (_, jti) = service.approved().await;
    assert_eq!(service.revoke("dave", &jti).await.refusal(), (403, "not_an_approver"));
    service.revoke("alice", &jti).await.ok();
    let unknown = service.revoke("alice", "grant_unknown").await;
    assert_eq!(unknown.refusal(), (404, "grant_unknown"));
    let path = format!("/v1/grants/{jti}/revoke");
    let silent = service.post("alice", &path, json!({})).await;
    assert_eq!(silent.refusal(), (400, "invalid_request"));
}

#[tokio::test]
async fn who_approved_a_grant_can_revoke_it_when_its_scope_is_gone() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    let changed = config(&service.directory).replace("orders:read", "orders:get");
    let service = Service::start_with(service.directory, &changed, START).await;
    assert_eq!(service.revoke("frank", &jti).await.refusal(), (403, "not_an_approver"));
    service.revoke("carol", &jti).await.ok();
}

#[tokio::test]
async fn a_grant_that_is_over_by_our_clock_is_revoked_and_the_answer_says_so() {
    let service = Service::start().await;
    let (_, first) = service.approved().await;
    let (_, second) = service.approved().await;
    service.advance(1799);
    let answer = service.revoke("carol", &first).await.ok();
    assert_eq!(answer.get("had_ended"), None);
    service.advance(1);
    let answer = service.revoke("carol", &second).await.ok();
    assert_eq!((&answer["had_ended"], &answer["epoch"]), (&json!(true), &json!(2)));
    // A slow clock may still honour it.
    assert_eq!(service.feed("").await.ok()["revoked"].as_array().unwrap().len(), 2);
    service.advance(60);
    assert_eq!(service.feed("").await.ok()["revoked"], json!([]));
}

#[tokio::test]
async fn a_token_is_enough_to_revoke_its_grant() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    let body = format!("token={token}");
    for (who, refusal) in [("erin", (403, "not_an_approver")), ("envoy", (403, "people_only"))] {
        assert_eq!(service.form(who, "/oauth2/revoke", &body).await.refusal(), refusal, "{who}");
    }
    assert_eq!(service.introspect(&token).await["active"], true);
    for who in ["alice", "carol"] {
        assert_eq!(service.form(who, "/oauth2/revoke", &body).await.status, 200);
        assert_eq!(service.introspect(&token).await["active"], false);
    }
    assert_eq!(service.form("alice", "/oauth2/revoke", "token=x").await.status, 200);
    let missing = service.form("alice", "/oauth2/revoke", "").await;
    assert_eq!(missing.refusal(), (400, "invalid_request"));
}
