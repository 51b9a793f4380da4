//! `GET /v1/audit/events`: what happened, for those who read on.

use serde_json::{Value, json};

use breakglass_server::config::Config;
use breakglass_server::limits::MAX_WAITS_PER_PERSON;
use breakglass_testing::service::{Service, config};

async fn read(service: &Service, query: &str) -> Value {
    service.get("grace", &format!("/v1/audit/events{query}")).await.ok()
}

fn kinds(answer: &Value) -> Vec<(i64, String)> {
    let events = answer["events"].as_array().unwrap().iter();
    events
        .map(|event| (event["seq"].as_i64().unwrap(), event["type"].as_str().unwrap().to_owned()))
        .collect()
}

#[tokio::test]
async fn an_auditor_reads_on_after_what_was_read() {
    let service = Service::start().await;
    assert_eq!(read(&service, "").await, json!({ "events": [], "next": "" }));
    let (id, jti) = service.approved().await;
    service.token(&id).await;
    service.token(&id).await;
    let first = read(&service, "").await;
    let types = ["request.submitted", "request.approved", "grant.activated", "grant.token_issued"];
    let expected = (1..).zip(types.map(|word| format!("breakglass.{word}")));
    assert_eq!(kinds(&first), expected.collect::<Vec<_>>());
    let approved = &first["events"][1];
    for (member, value) in [
        ("actor", json!("carol")),
        ("request", json!(id)),
        ("request_seq", json!(2)),
        ("audience", json!("prod")),
        ("subject", json!("alice")),
        ("grant", json!(jti)),
        ("time", json!("2026-11-22T02:13:00Z")),
        ("version", json!(1)),
    ] {
        assert_eq!(approved[member], value, "{member}");
    }
    assert_eq!(approved["data"]["digest"], service.digest(&id).await);
    let after = format!("?after={}", first["next"].as_str().unwrap());
    assert_eq!(read(&service, &after).await, json!({ "events": [], "next": first["next"] }));
    service.revoke("alice", &jti).await.ok();
    let rest = read(&service, &after).await;
    assert_eq!(kinds(&rest), [(5, "breakglass.grant.revoked".to_owned())]);
    assert_eq!(rest["events"][0]["data"]["given_back"], true);
}

#[tokio::test]
async fn who_waits_is_answered_when_something_happens() {
    let service = Service::start().await;
    let wait = read(&service, "?wait=60s");
    let (answer, id) = tokio::join!(wait, service.pending());
    assert_eq!(answer["events"][0]["request"], json!(id));
}

/// Whose right is taken away while they wait read nothing more.
#[tokio::test]
async fn an_auditor_who_is_none_any_more_is_told_nothing() {
    let service = Service::start().await;
    let wait = service.get("grace", "/v1/audit/events?wait=60s");
    let change = async {
        while service.app.waits().waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let text = config(&service.directory).replace(r#"groups = ["auditors"]"#, "");
        service.app.reconfigure(Config::parse(&text).unwrap());
        service.pending().await;
    };
    let (answer, ()) = tokio::join!(wait, change);
    assert_eq!(answer.refusal(), (403, "not_an_auditor"));
}

#[tokio::test]
async fn a_person_waits_for_events_in_so_many_places_and_no_more() {
    let service = Service::start().await;
    let held: Vec<_> = (0..MAX_WAITS_PER_PERSON)
        .map(|_| service.app.waits().enter("grace", "x").unwrap())
        .collect();
    let refused = service.get("grace", "/v1/audit/events?wait=60s").await;
    assert_eq!(refused.refusal(), (429, "too_many_waits"));
    service.get("grace", "/v1/audit/events").await.ok();
    drop(held);
}

#[tokio::test]
async fn a_place_that_is_another_events_is_refused() {
    let service = Service::start().await;
    service.pending().await;
    let next = read(&service, "").await["next"].as_str().unwrap().to_owned();
    let (_, id) = next.split_once('.').unwrap();
    for (after, refusal) in [
        ("1.evt_x".to_owned(), (409, "event_unknown")),
        (format!("2.{id}"), (409, "event_unknown")),
        (id.to_owned(), (400, "invalid_request")),
        ("0.x".to_owned(), (400, "invalid_request")),
        ("-1.x".to_owned(), (400, "invalid_request")),
    ] {
        let answer = service.get("grace", &format!("/v1/audit/events?after={after}")).await;
        assert_eq!(answer.refusal(), refusal, "{after}");
    }
    let answer = service.get("carol", "/v1/audit/events").await;
    assert_eq!(answer.refusal(), (403, "not_an_auditor"));
}
