//! An approval is of what was shown.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use breakglass_testing::service::{Service, token_of};

async fn approve(
    service: &Service,
    who: &str,
    id: &str,
    body: Value,
) -> breakglass_testing::service::Answer {
    service.post(who, &format!("/v1/requests/{id}/approve"), body).await
}

#[tokio::test]
async fn an_approval_without_a_digest_is_refused_with_the_request() {
    let service = Service::start().await;
    let id = service.pending().await;
    let shown = service.get("carol", &format!("/v1/requests/{id}")).await.ok();
    // As the command lines of before sent it: `{}`; and as others may, with no body at all.
    let nothing = Request::post(format!("/v1/requests/{id}/approve"))
        .header("authorization", format!("Bearer {}", token_of("carol")));
    let nothing = service.send(nothing.body(Body::empty()).unwrap()).await;
    for answer in [nothing, approve(&service, "carol", &id, json!({})).await] {
        assert_eq!(answer.refusal(), (409, "digest_required"));
        assert_eq!(answer.body["request"], shown);
    }
    let null = approve(&service, "carol", &id, json!({ "digest": null })).await;
    assert_eq!(null.refusal(), (409, "digest_required"));
    let strict =
        approve(&service, "carol", &id, json!({ "digest": shown["digest"], "yes": true })).await;
    assert_eq!(strict.refusal(), (400, "invalid_request"));
    assert_eq!(service.trail().await.len(), 1, "nothing was approved");
    approve(&service, "carol", &id, json!({ "digest": shown["digest"] })).await.ok();
}

#[tokio::test]
async fn the_digest_of_anything_else_is_refused_with_the_request_as_it_is() {
    let service = Service::start().await;
    let (id, other) = (service.pending().await, service.pending().await);
    let shown = service.get("carol", &format!("/v1/requests/{id}")).await.ok();
    let other = service.get("carol", &format!("/v1/requests/{other}")).await.ok();
    assert_ne!(shown["digest"], other["digest"], "the id is part of it");
    let upper = shown["digest"].as_str().unwrap().to_uppercase();
    for digest in [other["digest"].clone(), json!(upper), json!(""), json!("0".repeat(64))] {
        let answer = approve(&service, "carol", &id, json!({ "digest": digest })).await;
        assert_eq!(answer.refusal(), (409, "request_changed"));
        assert_eq!(answer.body["request"], shown);
    }
    // Who may not approve it is told that, and is shown nothing.
    let dave = approve(&service, "dave", &id, json!({})).await;
    assert_eq!((dave.refusal(), dave.body.get("request")), ((403, "not_an_approver"), None));
    assert_eq!(service.trail().await.len(), 2, "nothing was approved");
}

/// What an approver reads is in the digest: a row that somebody changed in the file is not what was shown.
#[tokio::test]
async fn each_thing_that_an_approver_reads_is_in_the_digest() {
    let service = Service::start().await;
    let database = service.database().await;
    sqlx::raw_sql("DROP TRIGGER requests_frozen").execute(&database).await.unwrap();
    for change in [
        "requester = 'bob'",
        "audience = 'staging'",
        "scopes = '[\"orders:write\"]'",
        "scope_digests = '{\"orders:read\":\"0000000000000000000000000000000000000000000000000000000000000000\"}'",
        "duration_s = 3600",
        "reason = 'another'",
        "incident = 'INC-8'",
        "emergency = 1",
        "extends = id",
    ] {
        let id = service.pending().await;
        let shown = service.digest(&id).await;
        let statement = format!("UPDATE requests SET {change} WHERE id = ?1");
        sqlx::query(sqlx::AssertSqlSafe(statement)).bind(&id).execute(&database).await.unwrap();
        assert_ne!(service.digest(&id).await, shown, "{change}");
    }
    // Another name as requester or scope may be refused for other reasons first.
    let id = service.pending().await;
    let digest = service.digest(&id).await;
    sqlx::query("UPDATE requests SET reason = 'another' WHERE id = ?1")
        .bind(&id)
        .execute(&database)
        .await
        .unwrap();
    let answer = approve(&service, "carol", &id, json!({ "digest": digest })).await;
    assert_eq!(answer.refusal(), (409, "request_changed"));
    assert_eq!(answer.body["request"]["reason"], "another");
}
