//! The longer a request waits, the more groups may approve it, and are told, each once.

use breakglass_server::config::Config;
use breakglass_server::domain::escalate;
use breakglass_server::tasks::escalations::keep_escalating;
use breakglass_testing::service::{START, Service, config};
use serde_json::{Value, json};
use tempfile::TempDir;

/// bob, carol and frank are commanders; dave and frank are dbas; erin is in no group.
const RULE: &str = r#"
[[approval_rules]]
name = "reads"
scopes = ["orders:read"]
need = [{ from = ["commanders"] }]
escalate = [{ after = "3m", to = ["dbas"] }, { after = "6m", to = ["loners"] }]
"#;

fn text(directory: &TempDir, rule: &str) -> String {
    let mut text = config(directory);
    // The rule alone is for the scope.
    let scope = text.find("name = \"orders:read\"").unwrap();
    let approvers = scope + text[scope..].find("approvers = [\"commanders\"]\n").unwrap();
    text.replace_range(approvers..approvers + "approvers = [\"commanders\"]\n".len(), "");
    text + rule
}

async fn start(rule: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = text(&directory, rule);
    Service::start_with(directory, &text, START).await
}

async fn ask(service: &Service) -> String {
    let body = json!({ "scopes": ["orders:read"], "reason": "stuck", "duration": "30m" });
    let view = service.post("alice", "/v1/requests", body).await.ok();
    view["id"].as_str().unwrap().to_owned()
}

async fn see(service: &Service, id: &str) -> Value {
    service.get("alice", &format!("/v1/requests/{id}")).await.ok()
}

/// What was said of it: the entry, and when.
async fn escalated(service: &Service) -> Vec<(i64, String)> {
    let events = service.get("grace", "/v1/audit/events").await.ok();
    let events = events["events"].as_array().unwrap().iter();
    let of_type = events.filter(|event| event["type"] == "breakglass.request.escalated");
    let each = of_type.map(|event| {
        (event["data"]["entry"].as_i64().unwrap(), event["time"].as_str().unwrap().to_owned())
    });
    each.collect()
}

#[tokio::test]
async fn those_to_whom_it_is_escalated_may_approve_once_it_has_waited() {
    let service = start(RULE).await;
    let id = ask(&service).await;
    let view = see(&service, &id).await;
    assert_eq!(view["approvers"], json!(["bob", "carol", "frank"]));
    assert_eq!(view["needs"][0]["escalates"][0]["to"], json!(["dbas"]));
    assert_eq!(view["needs"][0]["escalates"][0]["at"], "2026-11-22T02:16:00Z");
    service.advance(179);
    assert_eq!(service.act("dave", &id, "approve").await.refusal(), (403, "not_an_approver"));
    service.advance(1);
    let view = see(&service, &id).await;
    assert_eq!(view["needs"][0]["stages"][0]["from"], json!(["commanders", "dbas"]));
    assert_eq!(view["needs"][0]["stages"][0]["count"], 1, "so many people as before");
    assert_eq!(view["needs"][0]["escalates"].as_array().unwrap().len(), 1);
    assert_eq!(view["approvers"], json!(["bob", "carol", "frank", "dave"]));
    // The requester is in the group of the last entry, and stays the requester.
    service.advance(300);
    assert_eq!(service.act("alice", &id, "approve").await.refusal(), (403, "self_approval"));
    let view = service.act("dave", &id, "approve").await.ok();
    assert_eq!(
        (&view["state"], &view["grant"]["approved_by"]),
        (&json!("approved"), &json!("dave"))
    );
    service.token(&id).await;
}

/// The approval of one to whom it was escalated is kept by the first token, and lost with the entry.
#[tokio::test]
async fn an_entry_that_leaves_the_configuration_takes_its_approval_along() {
    let directory = tempfile::tempdir().unwrap();
    let with = text(&directory, RULE);
    let service = Service::start_with(directory, &with, START).await;
    let id = ask(&service).await;
    service.advance(200);
    service.act("dave", &id, "approve").await.ok();
    let without = with.replace("{ after = \"3m\", to = [\"dbas\"] }, ", "");
    service.app.reconfigure(Config::parse(&without).unwrap());
    assert_eq!(service.act("alice", &id, "token").await.refusal().1, "no_longer_allowed");
    service.app.reconfigure(Config::parse(&with).unwrap());
    service.token(&id).await;
}

#[tokio::test]
async fn each_entry_is_said_once_by_however_many_processes_and_restarts() {
    let service = start(RULE).await;
    let id = ask(&service).await;
    let at = |service: &Service| service.app.now();
    let next = escalate(&service.app, at(&service), &id).await.unwrap().unwrap();
    assert_eq!(next.seconds(), START + 180);
    assert_eq!(escalated(&service).await, []);
    service.advance(180);
    let both = tokio::join!(
        escalate(&service.app, at(&service), &id),
        escalate(&service.app, at(&service), &id)
    );
    assert!(both.0.is_ok() && both.1.is_ok());
    let first = (1, "2026-11-22T02:16:00Z".to_owned());
    assert_eq!(escalated(&service).await, std::slice::from_ref(&first));
    // It was down when the second was reached.
    let service = service.restart(200).await;
    let rules = text(&service.directory, RULE);
    service.app.reconfigure(Config::parse(&rules).unwrap());
    for _ in 0..3 {
        let next = escalate(&service.app, at(&service), &id).await.unwrap();
        assert_eq!(next, None, "none is left");
    }
    let second = (2, "2026-11-22T02:19:20Z".to_owned());
    assert_eq!(escalated(&service).await, [first, second]);
}

/// The groups of an entry that takes the place of another one are told too.
#[tokio::test]
async fn an_entry_that_a_configuration_puts_first_is_said_as_well() {
    let service = start(RULE).await;
    let id = ask(&service).await;
    service.advance(180);
    escalate(&service.app, service.app.now(), &id).await.unwrap();
    let before = "{ after = \"3m\", to = [\"dbas\"] }";
    let more = format!("{{ after = \"1m\", to = [\"auditors\"] }}, {before}");
    let rules = text(&service.directory, &RULE.replace(before, &more));
    service.app.reconfigure(Config::parse(&rules).unwrap());
    for _ in 0..2 {
        escalate(&service.app, service.app.now(), &id).await.unwrap();
    }
    let events = service.get("grace", "/v1/audit/events").await.ok();
    let events = events["events"].as_array().unwrap().iter();
    let of_type = events.filter(|event| event["type"] == "breakglass.request.escalated");
    let to: Vec<&Value> = of_type.map(|event| &event["data"]["to"]).collect();
    assert_eq!(to, [&json!(["dbas"]), &json!(["auditors"])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_says_it_by_itself_and_of_no_request_that_was_decided() {
    let service = start(RULE).await;
    let (id, other) = (ask(&service).await, ask(&service).await);
    let keeping = tokio::spawn(keep_escalating(service.app.clone()));
    service.act("bob", &other, "approve").await.ok();
    service.advance(180);
    while escalated(&service).await.is_empty() {
        tokio::task::yield_now().await;
    }
    service.advance(180);
    while escalated(&service).await.len() < 2 {
        tokio::task::yield_now().await;
    }
    keeping.abort();
    let events = service.get("grace", "/v1/audit/events").await.ok();
    let events = events["events"].as_array().unwrap().iter();
    let of_type = events.filter(|event| event["type"] == "breakglass.request.escalated");
    let requests: Vec<&Value> = of_type.map(|event| &event["request"]).collect();
    assert_eq!(requests, [&json!(id), &json!(id)]);
}

/// What a rule escalates outside of its hours waits for them, and stays from then on.
#[tokio::test]
async fn hours_are_waited_for() {
    // It is Sunday, 02:13 UTC.
    let rule = RULE.replace(
        "{ after = \"3m\", to = [\"dbas\"] }",
        "{ after = \"3m\", to = [\"dbas\"], between = { hours = \"02:18-02:19\", zone = \"UTC\" } }",
    );
    let service = start(&rule).await;
    let id = ask(&service).await;
    assert_eq!(see(&service, &id).await["needs"][0]["escalates"][0]["at"], "2026-11-22T02:18:00Z");
    service.advance(290);
    assert_eq!(service.act("dave", &id, "approve").await.refusal(), (403, "not_an_approver"));
    service.advance(10);
    assert_eq!(see(&service, &id).await["approvers"], json!(["bob", "carol", "frank", "dave"]));
    service.advance(120);
    service.act("dave", &id, "approve").await.ok();
}

/// A rule that no person can meet at first is one that people can meet later.
#[tokio::test]
async fn a_request_whose_first_group_has_no_other_person_waits_for_the_next() {
    let rule = RULE.replace("from = [\"commanders\"]", "from = [\"loners\"]");
    let service = start(&rule).await;
    let id = ask(&service).await;
    assert_eq!(see(&service, &id).await["approvers"], json!([]));
    service.advance(180);
    service.act("dave", &id, "approve").await.ok();
    let never = start(&rule.replace("[\"dbas\"]", "[\"loners\"]")).await;
    let body = json!({ "scopes": ["orders:read"], "reason": "stuck", "duration": "30m" });
    let refused = never.post("alice", "/v1/requests", body).await;
    assert_eq!(refused.refusal(), (403, "no_approver"));
}
