//! How many requests of a person may wait, and requests that are sent again.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use breakglass_testing::credentials::replace_credential;
use breakglass_testing::service::{Answer, START, Service, config, token_of};

fn ask(reason: &str) -> Value {
    json!({ "scopes": ["orders:read"], "reason": reason, "duration": "30m" })
}

/// The service with the default of ten.
async fn start() -> Service {
    start_with("").await
}

async fn start_with(line: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory).replace("max_pending_requests = 1000\n", line);
    Service::start_with(directory, &text, START).await
}

async fn submit(service: &Service, who: &str, key: &str, body: &Value) -> Answer {
    let request = Request::post("/v1/requests")
        .header("authorization", format!("Bearer {}", token_of(who)))
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    service.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn count(service: &Service) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM requests")
        .fetch_one(&service.database().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn ten_requests_of_a_person_may_wait() {
    let service = start().await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(service.pending().await);
    }
    let refused = service.post("alice", "/v1/requests", ask("r")).await;
    assert_eq!(refused.refusal(), (429, "too_many_pending"));
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("10 requests") && detail.contains("`breakglass cancel REQUEST`"),
        "{detail}"
    );
    // Others have their own ten.
    service.post("bob", "/v1/requests", ask("r")).await.ok();
    // Whatever decides one makes room for one: and so does time.
    for (who, verb) in [("carol", "approve"), ("carol", "deny"), ("alice", "cancel")] {
        service.act(who, &ids.pop().unwrap(), verb).await.ok();
        service.post("alice", "/v1/requests", ask("r")).await.ok();
        let refused = service.post("alice", "/v1/requests", ask("r")).await;
        assert_eq!(refused.refusal(), (429, "too_many_pending"), "{verb}");
    }
    service.advance(600);
    service.post("alice", "/v1/requests", ask("r")).await.ok();
}

#[tokio::test]
async fn the_configuration_says_how_many() {
    let service = start_with("max_pending_requests = 1\n").await;
    service.pending().await;
    let refused = service.post("alice", "/v1/requests", ask("r")).await;
    assert_eq!(refused.refusal(), (429, "too_many_pending"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_at_once_ten_are_taken() {
    let service = start().await;
    let (first, second) = (ask("r"), ask("r"));
    let answers = futures_util::future::join_all((0..50).map(|index| {
        let body = if index % 2 == 0 { &first } else { &second };
        service.post("alice", "/v1/requests", body.clone())
    }))
    .await;
    let taken = answers.iter().filter(|answer| answer.status == 201).count();
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.refusal(), (429, "too_many_pending"));
    }
    assert_eq!((taken, count(&service).await), (10, 10));
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_the_same_request() {
    let service = start().await;
    let first = submit(&service, "alice", "\"k-1\"", &ask("r")).await;
    assert_eq!(first.status, 201);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    // However the key and the body are written.
    let reordered = json!({ "duration": "1800s", "reason": "r", "emergency": false, "incident": null, "scopes": ["orders:read"] });
    for body in [ask("r"), reordered] {
        for key in ["\"k-1\"", "k-1"] {
            let again = submit(&service, "alice", key, &body).await;
            assert_eq!((again.status.as_u16(), &again.body), (201, &first.body));
            assert_eq!(again.headers["idempotency-replayed"], "true");
            assert_eq!(again.headers["location"], first.headers["location"]);
        }
    }
    assert_eq!((count(&service).await, service.trail().await.len()), (1, 1));
    // It is as it is now.
    service.act("carol", first.body["id"].as_str().unwrap(), "deny").await.ok();
    let again = submit(&service, "alice", "k-1", &ask("r")).await;
    assert_eq!((&again.body["state"], &again.body["id"]), (&json!("denied"), &first.body["id"]));
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_person_for_a_day() {
    let service = start().await;
    let first = submit(&service, "alice", "k", &ask("r")).await.ok();
    for body in [
        ask("other"),
        json!({ "scopes": ["orders:read"], "reason": "r", "duration": "31m" }),
        json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "emergency": true }),
        json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "r" }),
        json!({ "scopes": ["orders:read", "orders:write"], "reason": "r", "duration": "30m" }),
    ] {
        let refused = submit(&service, "alice", "k", &body).await;
        assert_eq!(refused.refusal(), (422, "idempotency_key_reused"), "{body}");
    }
    let other = submit(&service, "bob", "k", &ask("r")).await.ok();
    assert_ne!(other["id"], first["id"]);
    assert_ne!(submit(&service, "alice", "K", &ask("r")).await.ok()["id"], first["id"]);
    // Another credential could not collect what it would be told of.
    replace_credential(&service, "alice", "alice-2");
    assert_ne!(submit(&service, "alice-2", "k", &ask("r")).await.ok()["id"], first["id"]);
    replace_credential(&service, "alice", "alice");
    service.advance(24 * 60 * 60 - 1);
    assert_eq!(submit(&service, "alice", "k", &ask("r")).await.ok()["id"], first["id"]);
    service.advance(1);
    assert_ne!(submit(&service, "alice", "k", &ask("other")).await.ok()["id"], first["id"]);
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys")
        .fetch_one(&service.database().await)
        .await
        .unwrap();
    assert_eq!(keys, 1, "keys whose time is over go");
}

/// What was answered once is answered again, whatever has changed; what was refused is judged anew.
#[tokio::test]
async fn only_a_success_is_repeated() {
    let service = start().await;
    let refused = submit(
        &service,
        "alice",
        "k",
        &json!({
            "scopes": ["orders:read"], "reason": "r", "duration": "61m",
        }),
    )
    .await;
    assert_eq!(refused.refusal(), (400, "duration_too_long"));
    let first = submit(&service, "alice", "k", &ask("r")).await.ok();
    for _ in 0..9 {
        service.pending().await;
    }
    assert_eq!(
        submit(&service, "alice", "k2", &ask("r")).await.refusal(),
        (429, "too_many_pending")
    );
    assert_eq!(submit(&service, "alice", "k", &ask("r")).await.ok()["id"], first["id"]);
    let text = config(&service.directory).replace(r#"["oncall", "loners"]"#, r#"["spectators"]"#);
    service.app.reconfigure(breakglass_server::config::Config::parse(&text).unwrap());
    assert_eq!(submit(&service, "alice", "k", &ask("r")).await.ok()["id"], first["id"]);
    assert_eq!(
        submit(&service, "alice", "k3", &ask("r")).await.refusal(),
        (403, "not_a_requester")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_with_one_key_one_is_taken() {
    let service = start().await;
    let body = ask("r");
    let answers =
        futures_util::future::join_all((0..30).map(|_| submit(&service, "alice", "k", &body)))
            .await;
    let ids: std::collections::BTreeSet<String> =
        answers.into_iter().map(|answer| answer.ok()["id"].to_string()).collect();
    assert_eq!((ids.len(), count(&service).await), (1, 1));
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let service = start().await;
    let long = "k".repeat(256);
    for key in ["", "\"\"", "a b", "\"open", "a\"b", &long] {
        let refused = submit(&service, "alice", key, &ask("r")).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{key}");
        assert_eq!(refused.body["errors"][0]["field"], "Idempotency-Key");
    }
    let twice = Request::post("/v1/requests")
        .header("authorization", format!("Bearer {}", token_of("alice")))
        .header("content-type", "application/json")
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    let refused = service.send(twice.body(Body::from(ask("r").to_string())).unwrap()).await;
    assert_eq!(refused.refusal(), (400, "invalid_request"));
    assert_eq!(count(&service).await, 0);
}
