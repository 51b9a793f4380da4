//! A responder stops what is of the audience, and approves nothing by that.

use serde_json::{Value, json};

use breakglass_server::auth::identity::digest;
use breakglass_testing::service::{START, Service, config, token_of};

/// The service with these `responders`, and with `heidi` in the group `security`.
pub(crate) async fn with_responders(responders: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let sha256: String =
        digest(&token_of("heidi")).iter().map(|byte| format!("{byte:02x}")).collect();
    // Who may approve any scope is an approver.
    let config = config(&directory).replace(r#"["oncall", "loners"]"#, r#"["oncall"]"#);
    let text = format!(
        "responders = {responders}\n{}\n[[people]]\nname = \"heidi\"\ntoken_sha256 = \"{sha256}\"\n\
         groups = [\"security\"]\n",
        config
    );
    Service::start_with(directory, &text, START).await
}

fn ids(listed: &Value) -> Vec<&str> {
    listed["requests"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

/// A grant of alice's for the other audience.
async fn staging_grant(service: &Service) -> String {
    service.grant("carol", &["staging:read"]).await
}

/// A grant of alice's for an incident.
async fn incident_grant(service: &Service) -> String {
    let ask =
        json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "INC-1" });
    let id = service.post("alice", "/v1/requests", ask).await.ok()["id"].clone();
    let approved = service.act("carol", id.as_str().unwrap(), "approve").await.ok();
    approved["grant"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_responder_sees_and_denies_requests_of_the_audience() {
    let service = with_responders(r#"{ prod = ["security"] }"#).await;
    let orders = service.pending().await;
    let staging = service.pending_for(&["staging:read"]).await;
    assert_eq!(ids(&service.get("heidi", "/v1/requests").await.ok()), [&orders]);
    service.get("heidi", &format!("/v1/requests/{orders}")).await.ok();
    let unseen = service.get("heidi", &format!("/v1/requests/{staging}")).await;
    assert_eq!(unseen.refusal(), (403, "not_involved"));
    assert!(unseen.body["detail"].as_str().unwrap().contains("responders of its environment"));
    assert_eq!(service.act("heidi", &orders, "approve").await.refusal(), (403, "not_an_approver"));
    assert_eq!(service.act("heidi", &staging, "deny").await.refusal(), (403, "not_an_approver"));
    let denied = service.act("heidi", &orders, "deny").await.ok();
    assert_eq!((&denied["state"], &denied["denied"]["by"]), (&json!("denied"), &json!("heidi")));
    // The right to stop is none to read evidence.
    let evidence = service.get("heidi", "/v1/audit/requests?subject=alice").await;
    assert_eq!(evidence.refusal(), (403, "not_an_auditor"));
}

#[tokio::test]
async fn a_responder_revokes_grants_of_the_audience_in_every_way() {
    let service = with_responders(r#"{ prod = ["security"] }"#).await;
    let (_, grant) = service.approved().await;
    let staging = staging_grant(&service).await;
    assert_eq!(service.revoke("heidi", &staging).await.refusal(), (403, "not_an_approver"));
    service.revoke("heidi", &grant).await.ok();
    for target in [json!({ "scope": "orders:read" }), json!({ "incident": "INC-1" })] {
        let grant = incident_grant(&service).await;
        let killed = service.kill("heidi", target.clone()).await.ok();
        assert!(killed["grants"].as_array().unwrap().contains(&json!(grant)), "{target} {killed}");
    }
    // A grant of another audience is left, and so nothing is revoked that promises that nothing is.
    let (_, kept) = service.approved().await;
    for target in [json!({ "subject": "alice" }), json!({ "all": true })] {
        let refused = service.kill("heidi", target.clone()).await;
        assert_eq!(refused.refusal(), (403, "not_an_approver"), "{target}");
        assert!(refused.body["detail"].as_str().unwrap().contains("`staging:read`"), "{refused:?}");
    }
    service.revoke("carol", &staging).await.ok();
    let killed = service.kill("heidi", json!({ "all": true })).await.ok();
    assert_eq!(killed["grants"], json!([kept]));
}

#[tokio::test]
async fn a_responder_for_all_audiences_stops_all() {
    let service = with_responders(r#"["security"]"#).await;
    service.approved().await;
    staging_grant(&service).await;
    let killed = service.kill("heidi", json!({ "subject": "alice" })).await.ok();
    assert_eq!(killed["revoked"], 2);
    // It is no right to say what receipts count.
    let forgotten =
        service.post("heidi", "/v1/proxies/none/forget", json!({ "reason": "r" })).await;
    assert_eq!(forgotten.refusal(), (403, "not_an_approver"));
}

#[tokio::test]
async fn without_responders_nothing_is_said_of_them() {
    let service = Service::start().await;
    let id = service.pending().await;
    let unseen = service.get("erin", &format!("/v1/requests/{id}")).await;
    let expected =
        "only the requester, those who may approve one of its scopes, and auditors see a request";
    assert_eq!(unseen.body["detail"], expected);
    let denied = service.act("erin", &id, "deny").await;
    let expected = "only those who may approve one of its scopes may deny a request";
    assert_eq!(denied.body["detail"], expected);
}
