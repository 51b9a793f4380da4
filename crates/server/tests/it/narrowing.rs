//! Approving less than was asked for: fewer scopes, a shorter time, with a note.

use serde_json::{Value, json};

use breakglass_testing::service::{Answer, Service};

async fn approve(service: &Service, who: &str, id: &str, mut body: Value) -> Answer {
    body["digest"] = json!(service.digest(id).await);
    service.post(who, &format!("/v1/requests/{id}/approve"), body).await
}

#[tokio::test]
async fn an_approver_grants_less_and_the_token_has_no_more() {
    let service = Service::start().await;
    let id = service.pending_for(&["orders:read", "orders:write"]).await;
    let body = json!({ "scopes": ["orders:read"], "duration": "10m", "note": "reading is enough" });
    let view = approve(&service, "carol", &id, body).await.ok();
    assert_eq!(view["scopes"], json!(["orders:read", "orders:write"]), "what was asked for stays");
    let grant = &view["grant"];
    assert_eq!(grant["scopes"], json!(["orders:read"]));
    assert_eq!(grant["expires_at"], "2026-11-22T02:23:00Z");
    assert_eq!(grant["activate_by"], grant["expires_at"]);
    assert_eq!(
        grant["approvals"],
        json!([{ "by": "carol", "at": "2026-11-22T02:13:00Z", "digest": view["digest"],
            "note": "reading is enough", "scopes": ["orders:read"], "duration": "10m" }])
    );
    let token = service.token(&id).await;
    let claims = crate::token::claims_of(&token);
    assert_eq!((&claims["scope"], &claims["exp"]), (&json!("orders:read"), &json!(1_795_314_180)));
    assert_eq!(service.introspect(&token).await["scope"], "orders:read");
    // The trail says what was narrowed.
    let evidence = service.get("grace", "/v1/audit/requests?subject=alice").await.ok();
    let detail = &evidence["requests"][0]["trail"][1]["detail"];
    assert_eq!(
        (&detail["scopes"], &detail["duration_s"], &detail["note"]),
        (&json!(["orders:read"]), &json!(600), &json!("reading is enough"))
    );
    // A scope that was not granted is not what it is revoked by.
    assert_eq!(service.kill("carol", json!({ "scope": "orders:write" })).await.ok()["revoked"], 0);
    assert_eq!(service.kill("carol", json!({ "scope": "orders:read" })).await.ok()["revoked"], 1);
}

#[tokio::test]
async fn an_approval_never_widens() {
    let service = Service::start().await;
    let id = service.pending_for(&["orders:read", "orders:write"]).await;
    for (body, field) in [
        (json!({ "scopes": ["orders:read", "staging:read"] }), "scopes[1]"),
        (json!({ "scopes": ["Orders:read"] }), "scopes[0]"),
        (json!({ "scopes": ["orders:read", "orders:read"] }), "scopes[1]"),
        (json!({ "scopes": [] }), "scopes"),
        (json!({ "duration": "31m" }), "duration"),
        (json!({ "duration": "0s" }), "duration"),
        (json!({ "duration": "soon" }), "duration"),
        (json!({ "note": "" }), "note"),
        (json!({ "note": "two\nlines" }), "note"),
        (json!({ "note": "n".repeat(1025) }), "note"),
        (json!({ "scopes": vec!["orders:read"; 17] }), "scopes"),
    ] {
        let answer = approve(&service, "frank", &id, body.clone()).await;
        let refusal = answer.refusal();
        assert!(refusal.0 == 400 || refusal.0 == 403, "{body}: {refusal:?}");
        if refusal.0 == 400 {
            assert_eq!(answer.body["errors"][0]["field"], field, "{body}");
        }
    }
    assert_eq!(service.trail().await.len(), 1, "nothing was approved");
    // The same as was asked for is no narrowing.
    let body = json!({ "scopes": ["orders:write", "orders:read"], "duration": "30m" });
    let view = approve(&service, "frank", &id, body).await.ok();
    assert_eq!(
        view["grant"]["scopes"], view["scopes"],
        "in the order in which they were asked for"
    );
    assert_eq!(view["grant"]["approvals"][0].get("scopes"), None);
    assert_eq!(view["grant"]["approvals"][0].get("duration"), None);
}

/// What one approver may not approve, another one need not be asked for: it is left out.
#[tokio::test]
async fn an_approver_of_some_scopes_grants_those() {
    let service = Service::start().await;
    let id = service.pending_for(&["orders:read", "db:admin"]).await;
    let other = approve(&service, "carol", &id, json!({ "scopes": ["db:admin"] })).await;
    assert_eq!(other.refusal(), (403, "not_an_approver"));
    // Who may approve none of it learns nothing of what could be narrowed.
    let erin = approve(&service, "erin", &id, json!({ "scopes": ["staging:read"] })).await;
    assert_eq!(erin.refusal(), (403, "not_an_approver"));
    let view = approve(&service, "carol", &id, json!({ "scopes": ["orders:read"] })).await.ok();
    assert_eq!(view["grant"]["scopes"], json!(["orders:read"]));
}
