//! What all endpoints share: credentials, bodies, problems, counters.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use breakglass_testing::service::{Service, token_of};

#[tokio::test]
async fn a_credential_comes_once_and_as_a_bearer() {
    let service = Service::start().await;
    let alice = token_of("alice");
    for (values, refusal) in [
        (vec![], Some((401, "credential_missing"))),
        (vec![alice.clone()], Some((401, "credential_missing"))),
        (vec![format!("Basic {alice}")], Some((401, "credential_missing"))),
        (vec!["Bearer ".to_owned()], Some((401, "credential_missing"))),
        (vec![format!("Bearer {alice}x")], Some((401, "credential_unknown"))),
        (vec![format!("Bearer {alice}"); 2], Some((401, "credential_missing"))),
        (vec![format!("Bearer {alice}")], None),
        (vec![format!("bearer {alice}")], None),
    ] {
        let mut request = Request::get("/v1/requests");
        for value in &values {
            request = request.header("authorization", value);
        }
        let answer = service.send(request.body(Body::empty()).unwrap()).await;
        match refusal {
            Some(refusal) => {
                assert_eq!(answer.refusal(), refusal, "{values:?}");
                let challenge = answer.headers["www-authenticate"].to_str().unwrap();
                assert!(challenge.starts_with("Bearer realm=\"breakglass\""), "{challenge}");
                assert!(!answer.body.to_string().contains(&alice), "the credential is echoed");
            }
            None => drop(answer.ok()),
        }
    }
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let service = Service::start().await;
    assert_eq!(service.get("alice", "/v2/requests").await.refusal(), (404, "not_found"));
    assert_eq!(
        service.get("alice", "/oauth2/introspect").await.refusal(),
        (405, "method_not_allowed")
    );
    let large =
        json!({ "scopes": ["orders:read"], "reason": "r".repeat(20_000), "duration": "30m" });
    let answer = service.post("alice", "/v1/requests", large).await;
    assert_eq!(answer.refusal(), (413, "body_too_large"));
    let large = format!("token={}", "x".repeat(20_000));
    let answer = service.form("envoy", "/oauth2/introspect", &large).await;
    assert_eq!(answer.refusal(), (413, "body_too_large"));
    let answer = service.form("alice", "/v1/requests", "scopes=x").await;
    assert_eq!(answer.refusal(), (415, "unsupported_media_type"));
    let answer = service.get("alice", "/v1/requests/%ff").await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
}

#[tokio::test]
async fn counts_what_it_answers() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    let token = service.token(&id).await;
    service.introspect(&token).await;
    service.introspect(&token).await;
    service.revoke("carol", &jti).await.ok();
    service.revoke("carol", &jti).await.ok();
    service.introspect(&token).await;
    service.form("alice", "/oauth2/introspect", "token=x").await;
    service.get("alice", "/made/up").await;
    let text = service.get("nobody", "/metrics").await.ok();
    let text = text.as_str().unwrap();
    for line in [
        r#"breakglass_http_requests_total{endpoint="/oauth2/introspect",method="POST",status="200"} 3"#,
        r#"breakglass_http_requests_total{endpoint="/oauth2/introspect",method="POST",status="403"} 1"#,
        r#"breakglass_http_requests_total{endpoint="/v1/requests/{id}/approve",method="POST",status="200"} 1"#,
        r#"breakglass_http_requests_total{endpoint="unmatched",method="GET",status="404"} 1"#,
        r#"breakglass_introspections_total{result="active"} 2"#,
        r#"breakglass_introspections_total{result="inactive"} 1"#,
        r#"breakglass_changes_total{action="approve"} 1"#,
        r#"breakglass_changes_total{action="revoke"} 1"#,
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
}
