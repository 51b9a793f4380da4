//! A grant waits for its first token, for so long and no longer.

use serde_json::json;

use breakglass_server::config::Config;
use breakglass_testing::service::{START, Service, config};

#[tokio::test]
async fn the_first_token_activates_a_grant() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let shown = || async { service.get("alice", &format!("/v1/requests/{id}")).await.ok() };
    let approved = shown().await;
    assert_eq!(
        (&approved["state"], approved["grant"].get("activated_at")),
        (&json!("approved"), None)
    );
    assert_eq!(approved["grant"]["activate_by"], "2026-11-22T02:28:00Z");
    service.advance(899);
    service.token(&id).await;
    service.advance(60);
    let active = shown().await;
    assert_eq!(
        (&active["state"], &active["grant"]["activated_at"]),
        (&json!("active"), &json!("2026-11-22T02:27:59Z"))
    );
    assert_eq!(
        active["grant"]["expires_at"], approved["grant"]["expires_at"],
        "taking it moves nothing"
    );
    // As often as needed.
    service.token(&id).await;
    service.advance(841);
    assert_eq!(shown().await["state"], "expired");
}

#[tokio::test]
async fn what_is_not_taken_in_time_has_lapsed() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    service.advance(900);
    let path = format!("/v1/requests/{id}");
    // Before it is marked, and after.
    for _ in 0..2 {
        assert_eq!(service.get("alice", &path).await.ok()["state"], "lapsed");
        assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "grant_lapsed"));
        service.tick().await;
    }
    let steps: Vec<_> = service
        .trail()
        .await
        .into_iter()
        .map(|(actor, action)| format!("{actor} {action}"))
        .collect();
    assert_eq!(steps, ["alice submit", "carol approve", "service lapse"]);
    let database = service.database().await;
    let data: String =
        sqlx::query_scalar("SELECT data FROM events WHERE type = 'breakglass.request.lapsed'")
            .fetch_one(&database)
            .await
            .unwrap();
    assert_eq!(data, r#"{"of":"grant"}"#);
    // No clock that goes back revives it.
    service.step(-600);
    let service = service.restart_accepting().await.unwrap();
    assert_eq!(service.get("alice", &path).await.ok()["state"], "lapsed");
    // It can still be ended: who wants to be sure need not ask whether it lapsed.
    service.revoke("carol", &jti).await.ok();
    assert_eq!(service.get("alice", &path).await.ok()["state"], "revoked");
}

#[tokio::test]
async fn the_configuration_says_how_long_and_a_short_grant_waits_until_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("activate_within = \"2m\"\n{}", config(&directory));
    let service = Service::start_with(directory, &text, START).await;
    let grant = |duration: &'static str| {
        let service = &service;
        async move {
            let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": duration });
            let id = service.post("alice", "/v1/requests", body).await.ok()["id"]
                .as_str()
                .unwrap()
                .to_owned();
            service.act("carol", &id, "approve").await.ok()
        }
    };
    assert_eq!(grant("30m").await["grant"]["activate_by"], "2026-11-22T02:15:00Z");
    let short = grant("1m").await;
    assert_eq!(short["grant"]["activate_by"], short["grant"]["expires_at"]);
    // What was approved keeps its time when the configuration changes.
    let (id, _) = service.approved().await;
    let text = text.replace("2m", "1h");
    service.app.reconfigure(Config::parse(&text).unwrap());
    service.advance(121);
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "grant_lapsed"));
    assert_eq!(grant("30m").await["grant"]["activate_by"], "2026-11-22T02:45:01Z");
}
