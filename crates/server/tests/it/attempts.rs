//! What known callers are refused, and what auditors read, is in the evidence database; strangers leave no row.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

use breakglass_testing::service::{START, Service, config, token_of};

/// All rows, once they are as `done` wants them.
pub(crate) async fn until(service: &Service, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    for _ in 0..200 {
        let rows = rows(service).await;
        if done(&rows) {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?}", rows(service).await);
}

/// All rows so far, without an answer of the service: asking for them is a row too.
async fn rows(service: &Service) -> Vec<Value> {
    let rows = service.app.evidence().attempts(0, 100_000).await.unwrap();
    rows.into_iter()
        .map(|row| {
            json!({
                "outcome": row.outcome, "caller": row.caller, "kind": row.kind, "source": row.source,
                "method": row.method, "endpoint": row.endpoint, "object": row.object,
                "query": row.query, "status": row.status, "reason": row.reason, "count": row.count,
                "id": row.id, "at": "",
            })
        })
        .collect()
}

/// What is in a row beside the id.
fn short(row: &Value) -> String {
    ["outcome", "caller", "method", "endpoint", "object", "query", "reason"]
        .map(|name| row[name].as_str().unwrap_or("-").to_owned())
        .join(" ")
}

#[tokio::test]
async fn refusals_of_known_callers_are_rows_with_their_reason() {
    let service = Service::start().await;
    let id = service.pending().await;
    service.act("alice", &id, "approve").await.refusal();
    service.kill("envoy", json!({ "all": true })).await.refusal();
    let (other, grant) = service.approved().await;
    service.act("bob", &other, "token").await.refusal();
    service.get("carol", "/v1/audit/heads").await.refusal();
    service.revoke("dave", &grant).await.refusal();
    service.get("erin", "/v1/requests/req_none").await.refusal();
    service.act("carol", &other, "approve").await.refusal();
    service.get("frank", "/v1/nothing").await.refusal();
    service.get("envoy", "/v1/nothing").await.refusal();
    service.post("erin", "/v1/revocations", json!({ "reason": "r" })).await.refusal();
    let rows = until(&service, |rows| rows.len() >= 9).await;
    let requests = "/v1/requests/{id}";
    assert_eq!(
        rows.iter().map(short).collect::<Vec<_>>(),
        [
            format!("refused alice POST {requests}/approve {id} - self_approval"),
            "refused envoy POST /v1/revocations - - people_only".to_owned(),
            format!("refused bob POST {requests}/token {other} - not_the_requester"),
            "refused carol GET /v1/audit/heads - - not_an_auditor".to_owned(),
            format!("refused dave POST /v1/grants/{{jti}}/revoke {grant} - not_an_approver"),
            format!("refused erin GET {requests} req_none - request_unknown"),
            format!("refused carol POST {requests}/approve {other} - not_pending"),
            "refused frank GET unmatched - - not_found".to_owned(),
            "refused envoy GET unmatched - - not_found".to_owned(),
        ]
    );
    assert_eq!((&rows[1]["kind"], &rows[2]["kind"]), (&json!("proxy"), &json!("person")));
    assert_eq!(rows[0]["status"], 403);
}

/// Every endpoint, called by a stranger, by a person who may nothing, and by a proxy.
#[tokio::test]
async fn every_endpoint_leaves_what_it_should() {
    // A caller has twenty rows a minute: one proxy and one person for each method.
    let directory = tempfile::tempdir().unwrap();
    let entry = |list: &str, name: &str| {
        let digest = breakglass_server::auth::identity::digest(&token_of(name));
        let sha256 = breakglass_types::hex::lower(&digest);
        format!("[[{list}]]\nname = \"{name}\"\ntoken_sha256 = \"{sha256}\"\n")
    };
    let more = entry("proxies", "gate") + &entry("people", "ivan");
    let text = format!("{}{more}", config(&directory));
    let service = Service::start_with(directory, &text, START).await;
    let document = service.get("nobody", "/openapi.json").await.ok();
    let mut expected = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let id = "req_01KAN5S3M0W8Z4T2C9X7Y6B5D1";
        let uri = path.replace("{id}", id).replace("{jti}", "grant_1");
        for method in ["get", "post"] {
            if operations.get(method).is_none() {
                continue;
            }
            let method = method.to_uppercase();
            let (person, proxy) =
                if method == "GET" { ("erin", "envoy") } else { ("ivan", "gate") };
            for who in ["stranger", person, proxy] {
                let request = Request::builder()
                    .method(method.as_str())
                    .uri(&uri)
                    .header("authorization", format!("Bearer {}", token_of(who)))
                    .header("content-type", "application/json");
                let body = Body::from(json!({ "reason": "r" }).to_string());
                let answer = service.send(request.body(body).unwrap()).await;
                if who != "stranger" && [403, 404, 409].contains(&answer.status.as_u16()) {
                    let reason = answer.refusal().1;
                    // That is for anybody: no credential is looked at.
                    if reason != "sign_in_not_configured" {
                        expected.push(format!("{who} {method} {path} {reason}"));
                    }
                }
            }
        }
    }
    let rows = until(&service, |rows| rows.len() >= expected.len()).await;
    let member = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let found = rows.iter().map(|row| {
        ["caller", "method", "endpoint", "reason"].map(|name| member(row, name)).join(" ")
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert!(expected.len() > 20, "{expected:#?}");
    let strangers = service.counter("breakglass_strangers_refused_total{status=\"401\"}").await;
    assert!(strangers > 10, "{strangers}");
}

#[tokio::test]
async fn strangers_leave_no_row() {
    let service = Service::start().await;
    for _ in 0..500 {
        service.get("mallory", "/v1/audit/heads").await.refusal();
    }
    let bare = Request::get("/v1/requests").body(Body::empty()).unwrap();
    service.send(bare).await.refusal();
    let unmatched = Request::get("/x").body(Body::empty()).unwrap();
    service.send(unmatched).await.refusal();
    service.get("alice", "/v1/audit/heads").await.refusal();
    let rows = until(&service, |rows| !rows.is_empty()).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["caller"], "alice");
    let count = |status: u16| format!("breakglass_strangers_refused_total{{status=\"{status}\"}}");
    assert_eq!(service.counter(&count(401)).await, 501);
    assert_eq!(service.counter(&count(404)).await, 1);
}

#[tokio::test]
async fn an_auditors_reading_is_a_row_with_what_was_asked() {
    let service = Service::start().await;
    service.get("grace", "/v1/audit/requests?incident=INC-1").await.ok();
    service.get("grace", "/v1/audit/heads?node=a%20b").await.ok();
    service.get("grace", "/v1/audit/service").await.ok();
    service.get("grace", "/v1/audit/attempts?after=0").await.ok();
    // What she reads elsewhere, and what a proxy puts there, is no reading of evidence.
    service.get("grace", "/v1/requests").await.ok();
    let head = json!({
        "chain": "0".repeat(32), "seq": 1, "hash": "0".repeat(64), "began": "2026-11-22T02:13:00Z",
    });
    service.post("envoy", "/v1/audit/heads", json!({ "heads": [head] })).await.ok();
    // Not read: it was not understood.
    service.get("grace", "/v1/audit/requests").await.refusal();
    let rows = until(&service, |rows| rows.len() >= 4).await;
    assert_eq!(
        rows.iter().map(short).collect::<Vec<_>>(),
        [
            "read grace GET /v1/audit/requests - incident=INC-1 -",
            "read grace GET /v1/audit/heads - node=a%20b -",
            "read grace GET /v1/audit/service - - -",
            "read grace GET /v1/audit/attempts - after=0 -",
        ]
    );
}

#[tokio::test]
async fn the_source_is_the_peer_of_the_connection() {
    let service = Service::start().await;
    let from: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let mut request = Request::get("/v1/audit/heads")
        .header("authorization", format!("Bearer {}", token_of("alice")))
        .header("x-forwarded-for", "203.0.113.1")
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().insert(ConnectInfo(from));
    service.send(request).await.refusal();
    service.get("alice", "/v1/audit/heads").await.refusal();
    let rows = until(&service, |rows| rows.len() >= 2).await;
    assert_eq!((&rows[0]["source"], &rows[1]["source"]), (&json!("192.0.2.7"), &Value::Null));
}

#[tokio::test]
async fn what_a_client_makes_up_stays_bounded() {
    let service = Service::start().await;
    let long = "x".repeat(5000);
    for path in [
        format!("/v1/requests/{long}"),
        "/v1/requests/a%0ab".to_owned(),
        "/v1/requests/%1b%5b2J".to_owned(),
    ] {
        service.get("alice", &path).await;
    }
    service.get("grace", &format!("/v1/audit/heads?node={}", "n".repeat(200))).await.ok();
    service.get("grace", &format!("/v1/audit/heads?node={long}")).await;
    let rows = until(&service, |rows| rows.len() >= 5).await;
    for row in &rows {
        assert_eq!(row["object"], Value::Null, "{row}");
        assert!(row.to_string().len() < 1500, "{row}");
    }
}

#[tokio::test]
async fn ten_thousand_attempts_of_one_caller_are_twenty_rows_and_a_count() {
    let service = Service::start().await;
    for _ in 0..10_000 {
        service.get("alice", "/v1/audit/heads").await.refusal();
    }
    service.get("erin", "/v1/audit/heads").await.refusal();
    let rows = until(&service, |rows| rows.iter().any(|row| row["caller"] == "erin")).await;
    let minutes = rows.iter().filter(|row| row["outcome"] == "rest").count();
    // A slow machine takes more than a minute for it.
    assert!(rows.len() <= 21 * (minutes + 1), "{}", rows.len());
    let Service { app, directory, .. } = service;
    app.close_evidence().await;
    app.store().close().await;
    let text = breakglass_testing::service::config(&directory);
    let service = Service::start_with(directory, &text, breakglass_testing::service::START).await;
    let rows = rows_of(&service, "alice").await;
    assert_eq!(rows.iter().map(|row| row["count"].as_i64().unwrap()).sum::<i64>(), 10_000);
    assert_eq!(rows.last().unwrap()["outcome"], "rest");
}

async fn rows_of(service: &Service, who: &str) -> Vec<Value> {
    rows(service).await.into_iter().filter(|row| row["caller"] == who).collect()
}

#[tokio::test]
async fn attempts_are_append_only() {
    let service = Service::start().await;
    service.get("alice", "/v1/audit/heads").await.refusal();
    until(&service, |rows| rows.len() == 1).await;
    let database = service.evidence().await;
    for sql in [
        "UPDATE attempts SET caller = 'bob'",
        "DELETE FROM attempts",
        "INSERT OR REPLACE INTO attempts SELECT * FROM attempts",
    ] {
        let error = sqlx::query(sql).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn only_auditors_read_them() {
    let service = Service::start().await;
    let path = "/v1/audit/attempts";
    assert_eq!(service.get("alice", path).await.refusal(), (403, "not_an_auditor"));
    assert_eq!(service.get("envoy", path).await.refusal(), (403, "people_only"));
    assert_eq!(service.get("mallory", path).await.refusal(), (401, "credential_unknown"));
    until(&service, |rows| rows.len() == 2).await;
    let answer = service.get("grace", path).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let page = answer.ok();
    let attempts = page["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0]["at"], "2026-11-22T02:13:00Z");
    let after = &attempts[0]["id"];
    let rest = service.get("grace", &format!("{path}?after={after}")).await.ok();
    assert_eq!(rest["attempts"][0], attempts[1]);
}
