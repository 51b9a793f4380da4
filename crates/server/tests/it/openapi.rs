//! `GET /openapi.json` says what the service does: its paths, its methods, its answers.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use breakglass_testing::service::Service;

/// The members of `value` are those that the schema `name` describes, none missing, none more.
fn check(document: &Value, name: &str, value: &Value) {
    let schema = &document["components"]["schemas"][name];
    for required in schema["required"].as_array().unwrap() {
        assert!(value.get(required.as_str().unwrap()).is_some(), "{name}: {required}: {value}");
    }
    for (member, value) in value.as_object().unwrap() {
        let described = &schema["properties"][member];
        assert!(!described.is_null(), "{name} does not describe `{member}`");
        if let Some(reference) = described["$ref"].as_str() {
            check(document, reference.rsplit('/').next().unwrap(), value);
        }
    }
}

#[tokio::test]
async fn every_endpoint_that_it_describes_is_there_for_those_methods_only() {
    let service = Service::start().await;
    let document = service.get("nobody", "/openapi.json").await.ok();
    let source = include_str!("../../src/routes/mod.rs");
    let paths = document["paths"].as_object().unwrap();
    for (path, operations) in paths {
        assert!(source.contains(&format!(".route(\"{path}\"")), "{path} is not served");
        for method in ["get", "post", "put", "delete"] {
            let request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
            let answer = service.send(request.body(Body::empty()).unwrap()).await;
            let described = operations.get(method).is_some();
            assert_eq!(answer.status != 405, described, "{method} {path}: {answer:?}");
            assert_ne!(answer.body["reason"], "not_found", "{method} {path}");
        }
    }
    let served = source.matches(".route(\"/").count();
    assert_eq!(served, paths.len(), "an endpoint is not described");
}

#[tokio::test]
async fn answers_have_the_members_that_it_describes() {
    let service = Service::start().await;
    let document = service.get("nobody", "/openapi.json").await.ok();
    let denied = service.pending().await;
    service.act("carol", &denied, "deny").await.ok();
    let cancelled = service.pending().await;
    service.act("alice", &cancelled, "cancel").await.ok();
    let (id, jti) = service.approved().await;
    let issued = service.act("alice", &id, "token").await.ok();
    check(&document, "Issued", &issued);
    let introspection = service.introspect(issued["token"].as_str().unwrap()).await;
    check(&document, "Introspection", &introspection);
    check(&document, "Revoked", &service.revoke("carol", &jti).await.ok());
    service.approved().await;
    check(&document, "Killed", &service.kill("carol", json!({ "all": true })).await.ok());
    let feed = service.feed("").await.ok();
    check(&document, "Feed", &feed);
    check(&document, "FeedEntry", &feed["revoked"][0]);
    let proxies = service.get("carol", "/v1/proxies").await.ok();
    check(&document, "Proxies", &proxies);
    check(&document, "Node", &proxies["proxies"][0]);
    let head = json!({
        "chain": "0".repeat(32), "seq": 1, "hash": "0".repeat(64), "began": "2026-11-22T02:13:00Z",
    });
    let reported = service.post("envoy", "/v1/audit/heads", json!({ "heads": [head] })).await.ok();
    check(&document, "HeadsReported", &reported);
    let heads = service.get("grace", "/v1/audit/heads").await.ok();
    check(&document, "Heads", &heads);
    check(&document, "Head", &heads["heads"][0]);
    let evidence = service.get("grace", "/v1/audit/requests?subject=alice").await.ok();
    check(&document, "Evidence", &evidence);
    check(&document, "RequestEvidence", &evidence["requests"][0]);
    check(&document, "Step", &evidence["requests"][0]["trail"][0]);
    let challenge = service.post("grace", "/v1/probes", json!({})).await.ok();
    check(&document, "Challenge", &challenge);
    let key = breakglass_core::probe::ProbeKey::from_credential("token-envoy");
    let asked = breakglass_core::probe::Asked {
        challenge: challenge["challenge"].as_str().unwrap(),
        authority: b"a",
    };
    let answer = key.answer(&asked, &breakglass_core::probe::Answering::default()).text();
    let path = format!("/v1/probes/{}/answers", challenge["id"].as_str().unwrap());
    let one = json!({ "entrance": "e", "authority": "a", "answer": answer });
    let verdicts = service.post("grace", &path, json!({ "answers": [one] })).await.ok();
    check(&document, "ProbeVerdicts", &verdicts);
    check(&document, "ProbeVerdict", &verdicts["verdicts"][0]);
    check(&document, "ProbedNode", &verdicts["verdicts"][0]["node"]);
    let scopes = service.get("alice", "/v1/scopes").await.ok();
    check(&document, "Scopes", &scopes);
    check(&document, "Scope", &scopes["scopes"][0]);
    let now = service.app.now();
    service.app.store().note_act(now, "carol", "test", &json!({})).await.unwrap();
    let trail = service.get("grace", "/v1/audit/service").await.ok();
    check(&document, "ServiceTrail", &trail);
    check(&document, "Act", &trail["acts"][0]);
    service.get("alice", "/v1/audit/service").await.refusal();
    let attempts = crate::attempts::until(&service, |attempts| attempts.len() >= 2).await;
    check(&document, "Attempt", &attempts[0]);
    check(&document, "Attempts", &service.get("grace", "/v1/audit/attempts").await.ok());
    service.pending().await;
    let listed = service.get("alice", "/v1/requests").await.ok();
    check(&document, "Requests", &listed);
    for view in listed["requests"].as_array().unwrap() {
        check(&document, "Request", view);
    }
    check(&document, "Jwks", &service.get("nobody", "/.well-known/jwks.json").await.ok());
    check(&document, "Status", &service.get("nobody", "/readyz").await.ok());
    check(&document, "Health", &service.get("nobody", "/healthz").await.ok());
    check(&document, "Health", &service.get("grace", "/healthz?detail=1").await.ok());
    let (_, jti) = service.approved().await;
    service.approved().await;
    service.advance(1800);
    check(&document, "Revoked", &service.revoke("carol", &jti).await.ok());
    check(&document, "Killed", &service.kill("carol", json!({ "all": true })).await.ok());
    let refused = service.post("alice", "/v1/requests", json!({})).await;
    check(&document, "Problem", &refused.body);
    check(&document, "FieldProblem", &refused.body["errors"][0]);
}
