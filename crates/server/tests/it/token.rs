//! `POST /v1/requests/{id}/token`: what the filter will read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_types::Basis;
use breakglass_types::claims::{Breakglass, Claims};
use breakglass_types::json::Json;
use serde_json::{Value, json};

use breakglass_testing::service::{START, Service, config};

fn part(token: &str, index: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()
}

fn claims(token: &str) -> Claims {
    Claims::from_json(&Json::parse(&part(token, 1)).unwrap()).unwrap()
}

/// The claims as somebody else's reader sees them.
pub(crate) fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&part(token, 1)).unwrap()
}

#[tokio::test]
async fn what_was_approved_is_what_is_issued() {
    let service = Service::start().await;
    let body = json!({
        "scopes": ["orders:read", "orders:write"], "reason": "orders \"are\" stuck",
        "incident": "INC-7", "duration": "30m", "emergency": true,
    });
    let view = service.post("alice", "/v1/requests", body).await.ok();
    let id = view["id"].as_str().unwrap();
    service.advance(60);
    let grant = service.act("carol", id, "approve").await.ok()["grant"].clone();
    service.advance(60);
    let answer = service.act("alice", id, "token").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let issued = answer.ok();
    let token = issued["token"].as_str().unwrap();
    assert_eq!(
        issued,
        json!({
            "token": token, "grant": grant["id"], "scope": "orders:read orders:write",
            "audience": "prod", "expires_at": "2026-11-22T02:44:00Z",
        })
    );
    let start = u64::try_from(START).unwrap();
    assert_eq!(
        claims(token),
        Claims {
            iss: "https://approvals.test".into(),
            sub: "alice".into(),
            aud: vec!["prod".into()],
            iat: start + 120,
            nbf: None,
            exp: start + 60 + 1800,
            jti: grant["id"].as_str().unwrap().into(),
            scope: vec!["orders:read".into(), "orders:write".into()],
            roles: vec!["oncall".into()],
            groups: vec!["oncall".into(), "loners".into()],
            amr: vec![],
            acr: None,
            auth_time: None,
            cnf: None,
            breakglass: Breakglass {
                reason: "orders \"are\" stuck".into(),
                incident: Some("INC-7".into()),
                approvers: vec!["carol".into()],
                emergency: true,
                basis: Some(Basis::Approved),
                approvals: Some(1),
                ..Breakglass::default()
            },
        }
    );
    let header: Value = serde_json::from_slice(&part(token, 0)).unwrap();
    let jwks = service.get("nobody", "/.well-known/jwks.json").await.ok();
    assert_eq!(
        header,
        json!({ "alg": "ES256", "typ": "breakglass+jwt", "kid": jwks["keys"][0]["kid"] })
    );
}

#[tokio::test]
async fn every_token_of_a_grant_has_its_id_and_its_end() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    let first = claims(&service.token(&id).await);
    service.advance(600);
    let second = claims(&service.token(&id).await);
    assert_eq!((&first.jti, first.exp), (&second.jti, second.exp));
    assert_eq!(second.jti, jti);
    assert_eq!(second.iat, first.iat + 600);
    assert_eq!(service.trail().await.len(), 4);
}

#[tokio::test]
async fn only_the_requester_gets_it_and_only_while_the_grant_holds() {
    let service = Service::start().await;
    let waiting = service.pending().await;
    assert_eq!(service.act("alice", &waiting, "token").await.refusal(), (409, "not_approved"));
    let (id, jti) = service.approved().await;
    for (who, refusal) in [
        ("carol", (403, "not_the_requester")),
        ("bob", (403, "not_the_requester")),
        ("envoy", (403, "people_only")),
        ("nobody", (401, "credential_unknown")),
    ] {
        assert_eq!(service.act(who, &id, "token").await.refusal(), refusal, "{who}");
    }
    service.token(&id).await;
    service.advance(1799);
    service.token(&id).await;
    service.advance(1);
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "grant_expired"));
    let (id, other) = service.approved().await;
    assert_ne!(jti, other);
    service.revoke("carol", &other).await.ok();
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "grant_revoked"));
    let unknown = service.act("alice", "req_unknown", "token").await;
    assert_eq!(unknown.refusal(), (404, "request_unknown"));
}

#[tokio::test]
async fn a_token_never_carries_a_role_or_group_that_was_not_there_or_is_lost() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let changed = config(&service.directory)
        .replace(r#"["oncall", "loners"]"#, r#"["oncall", "commanders"]"#);
    let service = Service::start_with(service.directory, &changed, START).await;
    assert_eq!(claims(&service.token(&id).await).groups, ["oncall"]);
}

/// The longest texts that are accepted make a token that can be minted and read.
#[tokio::test]
async fn whatever_is_accepted_can_be_minted_and_read() {
    let service = Service::start().await;
    for reason in ["r".repeat(1024), "\"".repeat(1024), "é".repeat(512), "\u{1f600}".repeat(256)] {
        let incident = "\\".repeat(256);
        let body = json!({
            "scopes": ["orders:read"], "reason": reason, "incident": incident, "duration": "30m",
        });
        let view = service.post("alice", "/v1/requests", body).await.ok();
        let id = view["id"].as_str().unwrap();
        service.act("carol", id, "approve").await.ok();
        let claims = claims(&service.token(id).await);
        assert_eq!(claims.breakglass.reason, reason);
        assert_eq!(claims.breakglass.incident, Some(incident));
    }
    for (field, text) in [("reason", "r".repeat(1025)), ("incident", "i".repeat(257))] {
        let mut body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
        body[field] = text.into();
        let answer = service.post("alice", "/v1/requests", body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{field}");
    }
}

#[tokio::test]
async fn what_filters_would_find_too_large_is_refused_at_the_request() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = config(&directory);
    let scopes: Vec<String> =
        (0..16).map(|index| format!("{index:02}{}", "s".repeat(254))).collect();
    for scope in &scopes {
        text += &format!(
            "[[scopes]]\nname = \"{scope}\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
             approvers = [\"commanders\"]\nmax_duration = \"1h\"\n"
        );
    }
    let service = Service::start_with(directory, &text, START).await;
    let body = json!({ "scopes": scopes, "reason": "\"".repeat(1024), "duration": "30m" });
    let answer = service.post("alice", "/v1/requests", body).await;
    assert_eq!(answer.refusal(), (400, "token_too_large"));
    let body = json!({ "scopes": scopes, "reason": "r", "duration": "30m" });
    service.post("alice", "/v1/requests", body).await.ok();
}
