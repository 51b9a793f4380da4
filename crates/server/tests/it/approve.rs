//! `POST /v1/requests/{id}/approve`: who may, once, in time.

use serde_json::json;

use breakglass_testing::service::{START, Service, config};

#[tokio::test]
async fn another_person_approves() {
    let service = Service::start().await;
    let id = service.pending().await;
    service.advance(60);
    let view = service.act("carol", &id, "approve").await.ok();
    assert_eq!(view["state"], "approved");
    assert_eq!(view["grant"]["approved_by"], "carol");
    assert_eq!(view["grant"]["approved_at"], "2026-11-22T02:14:00Z");
    assert_eq!(
        view["grant"]["expires_at"], "2026-11-22T02:44:00Z",
        "from approval, not from asking"
    );
    assert!(view.get("approvers").is_none(), "nobody has to approve it any more");
    let trail = service.trail().await;
    assert_eq!(trail, [("alice".into(), "submit".into()), ("carol".into(), "approve".into())]);
}

#[tokio::test]
async fn nobody_approves_twice() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    for who in ["carol", "frank"] {
        assert_eq!(service.act(who, &id, "approve").await.refusal(), (409, "not_pending"), "{who}");
    }
    assert_eq!(service.trail().await.len(), 2);
}

#[tokio::test]
async fn nobody_approves_their_own_request() {
    let service = Service::start().await;
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    // Bob may approve this scope for others.
    let view = service.post("bob", "/v1/requests", body).await.ok();
    let id = view["id"].as_str().unwrap();
    assert_eq!(service.act("bob", id, "approve").await.refusal(), (403, "self_approval"));
    assert_eq!(service.get("bob", &format!("/v1/requests/{id}")).await.ok()["state"], "pending");
    service.act("carol", id, "approve").await.ok();
}

#[tokio::test]
async fn only_an_approver_of_the_scopes_approves() {
    let service = Service::start().await;
    let id = service.pending_for(&["orders:read", "db:admin"]).await;
    for (who, refusal) in [
        ("erin", (403, "not_an_approver")),
        ("alice", (403, "self_approval")),
        ("envoy", (403, "people_only")),
        ("nobody", (401, "credential_unknown")),
    ] {
        assert_eq!(service.act(who, &id, "approve").await.refusal(), refusal, "{who}");
    }
    // One of them alone is approved by those who may approve that one, and then others have to come.
    assert_eq!(service.act("carol", &id, "approve").await.ok()["state"], "pending");
    assert_eq!(service.act("frank", &id, "approve").await.ok()["state"], "approved");
    let unknown = service.act("carol", "req_unknown", "approve").await;
    assert_eq!(unknown.refusal(), (404, "request_unknown"));
}

#[tokio::test]
async fn what_the_configuration_says_at_approval_counts() {
    for (from, to) in [
        // Alice has left the group, or altogether; the scope is shorter, elsewhere, or gone.
        (r#"groups = ["oncall", "loners"]"#, r#"groups = ["loners"]"#),
        (r#"name = "alice""#, r#"name = "alison""#),
        (r#"max_duration = "1h""#, r#"max_duration = "5m""#),
        (r#"audience = "prod""#, r#"audience = "prod-2""#),
        (r#"name = "orders:read""#, r#"name = "orders:get""#),
    ] {
        let service = Service::start().await;
        let id = service.pending().await;
        let changed = config(&service.directory).replace(from, to);
        let service = Service::start_with(service.directory, &changed, START).await;
        let answer = service.act("carol", &id, "approve").await;
        let expected =
            if to.contains("orders:get") { "not_an_approver" } else { "no_longer_allowed" };
        assert_eq!(answer.refusal(), (403, expected), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_approval_and_a_denial_exactly_one_wins() {
    let service = Service::start().await;
    for _ in 0..20 {
        let id = service.pending().await;
        let (approve, deny, cancel) = tokio::join!(
            service.act("carol", &id, "approve"),
            service.act("frank", &id, "deny"),
            service.act("alice", &id, "cancel"),
        );
        let answers = [("approved", approve), ("denied", deny), ("cancelled", cancel)];
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(_, answer)| answer.status == 200);
        assert_eq!(won.len(), 1);
        for (_, answer) in &lost {
            assert_eq!(answer.refusal(), (409, "not_pending"));
        }
        let state = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
        assert_eq!(state["state"], won[0].0);
    }
    assert_eq!(service.trail().await.len(), 40, "one row for each change, none for the lost");
}

#[tokio::test]
async fn without_a_clock_nothing_is_approved() {
    let service = Service::start().await;
    let id = service.pending().await;
    service.lose_the_clock();
    assert_eq!(service.act("carol", &id, "approve").await.refusal(), (503, "clock_unknown"));
    service.get("nobody", "/readyz").await.ok();
}

/// The request was made under a spelling that the configuration then had.
#[tokio::test]
async fn nobody_approves_their_own_request_under_another_spelling() {
    for old in ["Carol", "carol ", "c\u{430}rol", "ca\u{200b}rol"] {
        let service = Service::start().await;
        let id = service.pending().await;
        sqlx::query(
            "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience,
                 scopes, reason, emergency, duration_s, submitted_at, lapses_at)
             SELECT 'req_old', ?2, requester_roles, requester_groups, audience, scopes, reason,
                 emergency, duration_s, submitted_at, lapses_at FROM requests WHERE id = ?1",
        )
        .bind(&id)
        .bind(old)
        .execute(&service.database().await)
        .await
        .unwrap();
        let answer = service.act("carol", "req_old", "approve").await;
        assert_eq!(answer.refusal(), (403, "self_approval"), "{old:?}");
        let view = service.get("carol", "/v1/requests/req_old").await.ok();
        assert!(!view["approvers"].to_string().contains("carol"), "{view}");
    }
}
