//! An auditor sees every request, and decides on none.

use serde_json::json;

use breakglass_testing::service::Service;

#[tokio::test]
async fn an_auditor_lists_and_sees_every_request() {
    let service = Service::start().await;
    let orders = service.pending().await;
    let (_, _) = service.approved().await;
    let database = service.pending_for(&["db:admin"]).await;
    let listed = service.get("grace", "/v1/requests").await.ok();
    assert_eq!(listed["requests"].as_array().unwrap().len(), 3);
    let pending = service.get("grace", "/v1/requests?state=pending").await.ok();
    assert_eq!(pending["requests"].as_array().unwrap().len(), 2);
    let mine = service.get("grace", "/v1/requests?mine=true").await.ok();
    assert_eq!(mine["requests"], json!([]));
    for id in [&orders, &database] {
        let seen = service.get("grace", &format!("/v1/requests/{id}")).await.ok();
        assert_eq!(&seen["id"], id);
    }
    // The right to read is none to decide, and those without it see no more than before.
    assert_eq!(service.act("grace", &orders, "approve").await.refusal(), (403, "not_an_approver"));
    assert_eq!(service.act("grace", &orders, "deny").await.refusal(), (403, "not_an_approver"));
    assert_eq!(service.act("grace", &orders, "cancel").await.refusal(), (403, "not_the_requester"));
    assert_eq!(service.act("grace", &orders, "token").await.refusal(), (403, "not_the_requester"));
    let path = format!("/v1/requests/{orders}");
    for who in ["erin", "dave"] {
        assert_eq!(service.get(who, &path).await.refusal(), (403, "not_involved"), "{who}");
    }
    assert_eq!(service.get("erin", "/v1/requests").await.ok()["requests"], json!([]));
    let dave = service.get("dave", "/v1/requests").await.ok();
    assert_eq!(dave["requests"].as_array().unwrap().len(), 1);
    assert_eq!(service.get("envoy", &path).await.refusal(), (403, "people_only"));
}

/// Every answer of the service says its version: answers, refusals, what is not there.
#[tokio::test]
async fn every_answer_says_the_version() {
    let service = Service::start().await;
    for (who, path) in [
        ("alice", "/v1/requests"),
        ("alice", "/v1/requests/req_none"),
        ("stranger", "/v1/requests"),
        ("alice", "/no/such"),
        ("alice", "/oauth2/introspect"),
        ("alice", "/healthz"),
    ] {
        let answer = service.get(who, path).await;
        assert_eq!(answer.headers["breakglass-version"], env!("CARGO_PKG_VERSION"), "{path}");
    }
}
