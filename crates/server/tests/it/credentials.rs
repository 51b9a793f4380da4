//! A token is collected with the credential that asked for it, and by no other one of that name.

use breakglass_testing::credentials::{hex, replace_credential};
use serde_json::json;

use breakglass_testing::service::{START, Service, config, token_of};

#[tokio::test]
async fn another_credential_of_the_same_name_does_not_collect_the_token() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    replace_credential(&service, "alice", "alice-2");
    let refused = service.act("alice-2", &id, "token").await;
    assert_eq!(refused.refusal(), (403, "credential_changed"));
    assert!(refused.body["detail"].as_str().unwrap().contains("`breakglass request`"));
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (401, "credential_unknown"));
    let issued = service.trail().await.into_iter().filter(|(_, action)| action == "issue_token");
    assert_eq!(issued.count(), 0);
    // What the new credential asks for, it gets.
    let body = json!({ "scopes": ["orders:read"], "reason": "again", "duration": "30m" });
    let view = service.post("alice-2", "/v1/requests", body).await.ok();
    let again = view["id"].as_str().unwrap();
    service.act("carol", again, "approve").await.ok();
    service.act("alice-2", again, "token").await.ok();
    // The one that asked is back.
    replace_credential(&service, "alice", "alice");
    service.token(&id).await;
    assert_eq!(service.act("alice", again, "token").await.refusal(), (403, "credential_changed"));
}

#[tokio::test]
async fn a_live_grant_goes_on_when_the_credential_is_replaced() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    let token = service.token(&id).await;
    replace_credential(&service, "alice", "alice-2");
    assert_eq!(service.introspect(&token).await["active"], true);
    // It is not issued again.
    assert_eq!(service.act("alice-2", &id, "token").await.refusal(), (403, "credential_changed"));
    // To end something is never refused: by its id, or by its token.
    service.revoke("alice-2", &jti).await.ok();
    assert_eq!(service.introspect(&token).await["active"], false);
    let pending = service.post(
        "alice-2",
        "/v1/requests",
        json!({
            "scopes": ["orders:read"], "reason": "r", "duration": "30m",
        }),
    );
    let pending = pending.await.ok()["id"].as_str().unwrap().to_owned();
    replace_credential(&service, "alice", "alice-3");
    service.act("alice-3", &pending, "cancel").await.ok();
}

#[tokio::test]
async fn nobody_is_asked_to_approve_what_could_not_be_collected() {
    let service = Service::start().await;
    let id = service.pending().await;
    replace_credential(&service, "alice", "alice-2");
    let refused = service.act("carol", &id, "approve").await;
    assert_eq!(refused.refusal(), (403, "no_longer_allowed"));
    assert!(refused.body["detail"].as_str().unwrap().contains("deny it"));
    service.act("carol", &id, "deny").await.ok();
}

#[tokio::test]
async fn the_database_has_neither_the_token_nor_its_digest() {
    let service = Service::start().await;
    service.pending().await;
    service.app.store().close().await;
    let _ = START;
    let bytes = std::fs::read(service.directory.path().join("approvals.db")).unwrap();
    let digest = breakglass_server::auth::identity::digest(&token_of("alice"));
    let found = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(!found(&digest) && !found(hex("alice").as_bytes()) && !found(b"token-alice"));
    let person = breakglass_server::config::Config::parse(&config(&service.directory)).unwrap();
    let kept = breakglass_server::auth::identity::fingerprint(&person.person("alice").unwrap());
    assert!(found(&kept));
}
