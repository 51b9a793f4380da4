//! `POST /v1/requests`, `GET /v1/requests/{id}`, `GET /v1/requests`.

use serde_json::{Value, json};

use breakglass_testing::service::{START, Service, config};

fn ask(scopes: &[&str], duration: &str) -> Value {
    json!({ "scopes": scopes, "reason": "orders are stuck", "duration": duration })
}

#[tokio::test]
async fn takes_a_request() {
    let service = Service::start().await;
    let body = json!({
        "scopes": ["orders:read", "orders:write"], "reason": "orders are stuck",
        "incident": "INC-7", "duration": "30m", "emergency": true,
    });
    let answer = service.post("alice", "/v1/requests", body).await;
    assert_eq!(answer.status, 201);
    let id = answer.body["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["location"], format!("/v1/requests/{id}"));
    assert_eq!(
        answer.body,
        json!({
            "id": id, "state": "pending", "requester": "alice", "audience": "prod",
            "scopes": ["orders:read", "orders:write"], "reason": "orders are stuck",
            "incident": "INC-7", "emergency": true, "duration": "30m",
            "submitted_at": "2026-11-22T02:13:00Z", "lapses_at": "2026-11-22T02:23:00Z",
            "approvers": ["bob", "carol", "frank"], "digest": service.digest(&id).await,
            "needs": [{ "scopes": ["orders:read", "orders:write"], "in_order": false,
                "stages": [{ "from": ["commanders"], "count": 1, "approved_by": [] }] }],
            "rules": [{ "scope": "orders:read" }, { "scope": "orders:write" }],
            "told": { "members": "complete", "known": 3, "reached": 0, "waiting": 0, "channels": [] },
        })
    );
    assert_eq!(service.get("alice", &format!("/v1/requests/{id}")).await.ok(), answer.body);
    assert_eq!(service.trail().await, [("alice".into(), "submit".into())]);
}

#[tokio::test]
async fn the_requester_is_never_among_the_approvers() {
    let service = Service::start().await;
    let view = service.post("bob", "/v1/requests", ask(&["orders:read"], "30m")).await.ok();
    assert_eq!(view["approvers"], json!(["carol", "frank"]));
}

#[tokio::test]
async fn says_everything_that_is_wrong_with_a_request() {
    let service = Service::start().await;
    let body = json!({ "scopes": ["a b", "x", "x"], "reason": " ", "incident": "a\nb" });
    let answer = service.post("alice", "/v1/requests", body).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    let fields: Vec<&str> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["scopes[0]", "scopes[2]", "reason", "incident", "duration"]);
}

#[tokio::test]
async fn refuses_what_cannot_be_asked_for() {
    let service = Service::start().await;
    let many: Vec<String> = (0..17).map(|index| format!("s{index}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (who, body, refusal) in [
        ("alice", ask(&[], "30m"), (400, "invalid_request")),
        ("alice", ask(&many, "30m"), (400, "invalid_request")),
        ("alice", ask(&["orders:read"], "0s"), (400, "invalid_request")),
        ("alice", ask(&["orders:read"], "-5m"), (400, "invalid_request")),
        ("alice", ask(&["orders:delete"], "30m"), (400, "scope_unknown")),
        ("alice", ask(&["orders:read"], "61m"), (400, "duration_too_long")),
        ("alice", ask(&["orders:read", "orders:write"], "31m"), (400, "duration_too_long")),
        ("alice", ask(&["orders:read", "staging:read"], "30m"), (400, "audiences_differ")),
        ("carol", ask(&["orders:read"], "30m"), (403, "not_a_requester")),
        ("erin", ask(&["orders:read"], "30m"), (403, "not_a_requester")),
        ("alice", ask(&["lonely"], "30m"), (403, "no_approver")),
        ("envoy", ask(&["orders:read"], "30m"), (403, "people_only")),
        ("nobody", ask(&["orders:read"], "30m"), (401, "credential_unknown")),
    ] {
        let answer = service.post(who, "/v1/requests", body.clone()).await;
        assert_eq!(answer.refusal(), refusal, "{who}: {body}");
    }
    assert_eq!(service.trail().await, [], "a refusal leaves nothing behind");
}

#[tokio::test]
async fn takes_the_longest_duration_that_every_scope_allows() {
    let service = Service::start().await;
    service.post("alice", "/v1/requests", ask(&["orders:read"], "1h")).await.ok();
    service.post("alice", "/v1/requests", ask(&["orders:read", "orders:write"], "30m")).await.ok();
}

#[tokio::test]
async fn refuses_scopes_of_which_nobody_could_approve_one() {
    let directory = tempfile::tempdir().unwrap();
    // Nobody is in the group of the databases.
    let config = breakglass_testing::service::config(&directory)
        .replace(r#"groups = ["dbas", "commanders"]"#, r#"groups = ["commanders"]"#)
        .replace(r#"groups = ["dbas"]"#, r#"groups = ["spectators"]"#);
    let service = Service::start_with(directory, &config, breakglass_testing::service::START).await;
    let both = ask(&["orders:read", "db:admin"], "30m");
    let answer = service.post("alice", "/v1/requests", both).await;
    assert_eq!(answer.refusal(), (403, "no_approver"));
    service.post("alice", "/v1/requests", ask(&["orders:read"], "30m")).await.ok();
}

#[tokio::test]
async fn refuses_unknown_fields_and_other_types() {
    let service = Service::start().await;
    for body in [
        json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "approver": "bob" }),
        json!({ "scopes": "orders:read", "reason": "r", "duration": "30m" }),
        json!({ "scopes": ["orders:read"], "reason": "r", "duration": 30 }),
        json!([]),
    ] {
        let answer = service.post("alice", "/v1/requests", body.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{body}");
    }
}

#[tokio::test]
async fn shows_a_request_only_to_those_involved() {
    let service = Service::start().await;
    let path = format!("/v1/requests/{}", service.pending().await);
    for who in ["alice", "bob", "carol", "frank"] {
        service.get(who, &path).await.ok();
    }
    for (who, refusal) in [
        ("dave", (403, "not_involved")),
        ("erin", (403, "not_involved")),
        ("envoy", (403, "people_only")),
        ("nobody", (401, "credential_unknown")),
    ] {
        assert_eq!(service.get(who, &path).await.refusal(), refusal, "{who}");
    }
    let unknown = service.get("alice", "/v1/requests/req_unknown").await;
    assert_eq!(unknown.refusal(), (404, "request_unknown"));
}

#[tokio::test]
async fn lists_what_one_may_see_newest_first() {
    let service = Service::start().await;
    let first = service.pending().await;
    service.advance(1);
    let second = service.pending_for(&["db:admin"]).await;
    service.act("frank", &first, "approve").await.ok();
    for (who, query, ids) in [
        ("alice", "", vec![&second, &first]),
        ("carol", "", vec![&first]),
        ("alice", "?mine=true", vec![&second, &first]),
        ("alice", "?mine=true&state=approved", vec![&first]),
        ("carol", "?mine=true", vec![]),
        ("dave", "", vec![&second]),
        ("erin", "", vec![]),
        ("alice", "?state=pending", vec![&second]),
        ("alice", "?state=approved", vec![&first]),
        ("alice", "?state=denied", vec![]),
        ("alice", "?limit=1", vec![&second]),
    ] {
        let listed = service.get(who, &format!("/v1/requests{query}")).await.ok();
        let listed: Vec<&str> = listed["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|view| view["id"].as_str().unwrap())
            .collect();
        assert_eq!(listed, ids, "{who} {query}");
    }
    for query in ["?state=open", "?limit=0", "?limit=201", "?limit=x", "?mine=yes", "?colour=red"] {
        let answer = service.get("alice", &format!("/v1/requests{query}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{query}");
    }
    let proxy = service.get("envoy", "/v1/requests").await;
    assert_eq!(proxy.refusal(), (403, "people_only"));
}

#[tokio::test]
async fn a_wait_ends_with_the_decision() {
    let service = Service::start().await;
    let id = service.pending().await;
    let path = format!("/v1/requests/{id}?wait=30s");
    let decide = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        service.act("carol", &id, "approve").await.ok()
    };
    let start = std::time::Duration::from_secs(5);
    let (waited, _) =
        tokio::time::timeout(start, async { tokio::join!(service.get("alice", &path), decide) })
            .await
            .unwrap();
    assert_eq!(waited.ok()["state"], "approved");
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_over_or_the_service_stops() {
    let service = Service::start().await;
    let path = format!("/v1/requests/{}", service.pending().await);
    let view = service.get("alice", &format!("{path}?wait=1s")).await.ok();
    assert_eq!(view["state"], "pending");
    service.app.stop();
    let waiting = format!("{path}?wait=30s");
    let wait = service.get("alice", &waiting);
    let view = tokio::time::timeout(std::time::Duration::from_secs(5), wait).await.unwrap().ok();
    assert_eq!(view["state"], "pending");
    for wait in ["61s", "x", "0s"] {
        let answer = service.get("alice", &format!("{path}?wait={wait}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{wait}");
    }
}

#[tokio::test]
async fn an_undecided_request_lapses() {
    let service = Service::start().await;
    let id = service.pending().await;
    service.advance(10 * 60 - 1);
    assert_eq!(service.get("alice", &format!("/v1/requests/{id}")).await.ok()["state"], "pending");
    service.advance(1);
    assert_eq!(service.get("alice", &format!("/v1/requests/{id}")).await.ok()["state"], "lapsed");
    for (who, verb) in [("carol", "approve"), ("carol", "deny"), ("alice", "cancel")] {
        let answer = service.act(who, &id, verb).await;
        assert_eq!(answer.refusal(), (409, "not_pending"), "{verb}");
    }
}

#[tokio::test]
async fn a_reason_that_cannot_be_seen_and_an_incident_with_two_spellings_are_refused() {
    let service = Service::start().await;
    let text = format!("incident_pattern = 'INC-[0-9]+'\n{}", config(&service.directory));
    let service = Service::start_with(service.directory, &text, START).await;
    let ask = async |reason: &str, incident: &str| {
        let body = serde_json::json!({
            "scopes": ["orders:read"], "reason": reason, "duration": "30m", "incident": incident,
        });
        service.post("alice", "/v1/requests", body).await
    };
    for reason in ["\u{200b}", "\u{2800}", "\u{3164}", "\u{301}", "\u{fe0f}\u{ad}"] {
        let answer = ask(reason, "INC-7").await;
        assert_eq!(
            (answer.refusal(), &answer.body["errors"][0]["field"]),
            ((400, "invalid_request"), &"reason".into())
        );
    }
    for incident in ["INC 7", "INC-7\u{200b}", "\u{406}NC-7", "INC-7 ", "CHG-7", "INC-7x", ""] {
        let answer = ask("r", incident).await;
        assert_eq!(
            (answer.refusal(), &answer.body["errors"][0]["field"]),
            ((400, "invalid_request"), &"incident".into()),
            "{incident:?}"
        );
    }
    ask("r", "INC-7").await.ok();
}
