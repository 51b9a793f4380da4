//! `POST /oauth2/introspect` (RFC 7662).

use breakglass_core::claims::Claims;
use breakglass_server::clock::Moment;
use breakglass_server::config::KeyRingSettings;
use breakglass_server::issuer::{Issuer, KeyDirectory, Rings};
use breakglass_server::random::Randomness;
use serde_json::json;

use breakglass_testing::service::{START, Service};

#[tokio::test]
async fn a_grant_that_holds_is_active() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    let token = service.token(&id).await;
    let body = format!("token={token}&token_type_hint=access_token");
    let answer = service.form("envoy", "/oauth2/introspect", &body).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(
        answer.ok(),
        json!({
            "active": true, "jti": jti, "sub": "alice", "scope": "orders:read",
            "iss": "https://approvals.test", "aud": ["prod"],
            "exp": START + 1800, "iat": START,
        })
    );
}

#[tokio::test]
async fn a_grant_that_has_ended_or_is_revoked_is_not_active() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    let token = service.token(&id).await;
    service.advance(1799);
    assert_eq!(service.introspect(&token).await["active"], true);
    service.revoke("carol", &jti).await.ok();
    assert_eq!(service.introspect(&token).await, json!({ "active": false }));

    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    service.advance(1800);
    assert_eq!(service.introspect(&token).await, json!({ "active": false }));
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_not_active_and_no_more_is_said() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other_signature = format!("{signed}.{}", "A".repeat(signature.len()));
    let swapped = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    for token in ["", "x", "a.b.c", signed, &swapped, &other_signature, &"x".repeat(9000)] {
        let answer = service.introspect(token).await;
        assert_eq!(answer, json!({ "active": false }), "{token}");
    }
}

/// The signature alone is not enough: there must be a grant, and the token must say what it says.
#[tokio::test]
async fn a_signed_token_that_is_not_of_a_grant_is_not_active() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let now = Moment::from_seconds(START);
    let token = service.token(&id).await;
    let claims = service.app.issuer().read(&token, now).unwrap();
    let minted = |claims: Claims| service.app.issuer().mint(&claims).unwrap().token;
    assert_eq!(service.introspect(&minted(claims.clone())).await["active"], true);
    for other in [
        Claims { jti: "grant_other".into(), ..claims.clone() },
        Claims { sub: "bob".into(), ..claims.clone() },
        Claims { scope: vec!["orders:write".into()], ..claims.clone() },
        Claims { exp: claims.exp + 1, ..claims.clone() },
        Claims { aud: vec!["staging".into()], ..claims.clone() },
        Claims { iss: "https://other.test".into(), ..claims.clone() },
    ] {
        let answer = service.introspect(&minted(other.clone())).await;
        assert_eq!(answer, json!({ "active": false }), "{other:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let keys = KeyDirectory::new(directory.path());
    keys.add(now, &Randomness::from_seed(9)).unwrap();
    let rings = Rings::read((KeyRingSettings::in_folder(directory.path()), Vec::new())).unwrap();
    let stranger = Issuer::new("https://approvals.test", rings);
    let token = stranger.mint(&claims).unwrap().token;
    assert_eq!(service.introspect(&token).await, json!({ "active": false }));
}

#[tokio::test]
async fn only_proxies_introspect() {
    let service = Service::start().await;
    for (who, refusal) in
        [("alice", (403, "proxies_only")), ("nobody", (401, "credential_unknown"))]
    {
        let answer = service.form(who, "/oauth2/introspect", "token=x").await;
        assert_eq!(answer.refusal(), refusal, "{who}");
    }
    let missing = service.form("envoy", "/oauth2/introspect", "hint=x").await;
    assert_eq!(missing.refusal(), (400, "invalid_request"));
    let json = service.post("envoy", "/oauth2/introspect", json!({ "token": "x" })).await;
    assert_eq!(json.refusal(), (415, "unsupported_media_type"));
}

/// A service that cannot know says so; it never says "not active".
#[tokio::test]
async fn a_service_without_its_database_does_not_answer() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    service.app.store().close().await;
    let body = format!("token={token}");
    let answer = service.form("envoy", "/oauth2/introspect", &body).await;
    assert_eq!(answer.refusal(), (500, "internal_error"));
    service.until_ready(false).await;
    assert_eq!(service.get("nobody", "/readyz").await.refusal(), (503, "not_ready"));
    service.get("nobody", "/healthz").await.ok();
}
