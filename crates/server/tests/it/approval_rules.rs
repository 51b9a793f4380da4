//! Several people approve a request, as rules say.

use breakglass_server::config::Config;
use breakglass_testing::credentials::without;
use breakglass_testing::service::{Answer, START, Service, config};
use serde_json::{Value, json};

/// Two for writing; one after the other for the database; and more for what is long.
const RULES: &str = r#"
[[approval_rules]]
name = "writes"
scopes = ["orders:write"]
need = [{ from = ["commanders"], count = 2 }]
[[approval_rules]]
name = "database"
scopes = ["db:admin"]
need = [{ from = ["dbas"] }, { from = ["commanders"] }]
in_order = true
[[approval_rules]]
name = "long"
scopes = ["orders:read"]
when = { duration_over = "45m" }
need = [{ from = ["commanders"] }, { from = ["dbas"] }]
"#;

async fn start() -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory) + RULES;
    Service::start_with(directory, &text, START).await
}

fn reload(service: &Service, text: &str) {
    service.app.reconfigure(Config::parse(text).unwrap());
}

async fn ask(service: &Service, scopes: &[&str], duration: &str) -> Answer {
    let body = json!({ "scopes": scopes, "reason": "orders are stuck", "duration": duration });
    service.post("alice", "/v1/requests", body).await
}

async fn pending(service: &Service, scopes: &[&str], duration: &str) -> String {
    ask(service, scopes, duration).await.ok()["id"].as_str().unwrap().to_owned()
}

async fn approve(service: &Service, who: &str, id: &str) -> Value {
    service.act(who, id, "approve").await.ok()
}

async fn refused(service: &Service, who: &str, id: &str) -> (u16, String) {
    let answer = service.act(who, id, "approve").await;
    let (status, reason) = answer.refusal();
    (status, reason.to_owned())
}

/// The state, and who counts where: `rule: stage; stage`.
fn needs(view: &Value) -> Vec<String> {
    let names = |stage: &Value| -> String {
        let by = stage["approved_by"].as_array().unwrap().iter();
        let by: Vec<&str> = by.map(|name| name.as_str().unwrap()).collect();
        format!("{} of {} ({})", stage["count"], stage["from"][0].as_str().unwrap(), by.join(" "))
    };
    let need = |need: &Value| {
        let rule = need.get("rule").and_then(Value::as_str).unwrap_or("-");
        let stages: Vec<String> = need["stages"].as_array().unwrap().iter().map(names).collect();
        format!("{rule}: {}", stages.join("; "))
    };
    view["needs"].as_array().map(|all| all.iter().map(need).collect()).unwrap_or_default()
}

#[tokio::test]
async fn two_people_approve_what_takes_two() {
    let service = start().await;
    let id = pending(&service, &["orders:write"], "30m").await;
    let view = service.get("bob", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(needs(&view), ["-: 1 of commanders ()", "writes: 2 of commanders ()"]);
    assert_eq!(view["approvers"], json!(["bob", "carol", "frank"]));
    service.advance(60);
    let view = approve(&service, "carol", &id).await;
    assert_eq!((&view["state"], view.get("grant")), (&json!("pending"), None));
    assert_eq!(needs(&view), ["-: 1 of commanders (carol)", "writes: 2 of commanders (carol)"]);
    assert_eq!(view["approvals"][0]["by"], "carol");
    assert_eq!(view["approvers"], json!(["bob", "frank"]), "whose approval counts now");
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "not_approved"));
    assert_eq!(refused(&service, "carol", &id).await, (409, "approved_already".to_owned()));
    assert_eq!(refused(&service, "dave", &id).await, (403, "not_an_approver".to_owned()));
    assert_eq!(refused(&service, "alice", &id).await, (403, "self_approval".to_owned()));
    service.advance(60);
    let view = approve(&service, "bob", &id).await;
    assert_eq!((&view["state"], needs(&view).len()), (&json!("approved"), 0));
    let grant = &view["grant"];
    assert_eq!(grant["approved_by"], "bob");
    assert_eq!(grant["approvals"].as_array().unwrap().len(), 2);
    assert_eq!(grant["expires_at"], "2026-11-22T02:45:00Z", "from the last approval on");
    assert_eq!(refused(&service, "frank", &id).await, (409, "not_pending".to_owned()));
    let claims = crate::token::claims_of(&service.token(&id).await);
    assert_eq!(claims["breakglass"]["approvers"], json!(["carol", "bob"]));
    assert_eq!(claims["breakglass"]["approvals"], 2);
    let who = |name: &str, did: &str| (name.to_owned(), did.to_owned());
    let expected = [
        who("alice", "submit"),
        who("carol", "approve"),
        who("bob", "approve"),
        who("alice", "issue_token"),
    ];
    assert_eq!(service.trail().await, expected);
    let events = service.get("grace", "/v1/audit/events").await.ok();
    let types: Vec<&str> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["request"] == json!(id))
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let expected = [
        "breakglass.request.submitted",
        "breakglass.request.partly_approved",
        "breakglass.request.approved",
        "breakglass.grant.activated",
    ];
    assert_eq!(types, expected);
}

#[tokio::test]
async fn stages_with_an_order_ask_one_after_the_other() {
    let service = start().await;
    let id = pending(&service, &["db:admin"], "30m").await;
    let view = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(needs(&view), ["-: 1 of dbas ()", "database: 1 of dbas (); 1 of commanders ()"]);
    assert_eq!(refused(&service, "carol", &id).await, (409, "not_your_turn".to_owned()));
    // Who is in both stages counts in the first that waits.
    let view = approve(&service, "frank", &id).await;
    assert_eq!(needs(&view)[1], "database: 1 of dbas (frank); 1 of commanders ()");
    assert_eq!(refused(&service, "dave", &id).await, (409, "not_needed".to_owned()));
    assert_eq!(approve(&service, "carol", &id).await["state"], "approved");
}

#[tokio::test]
async fn a_request_for_scopes_of_several_groups_takes_one_of_each() {
    let service = Service::start().await;
    let id = pending(&service, &["orders:read", "db:admin"], "30m").await;
    let view = approve(&service, "carol", &id).await;
    assert_eq!(needs(&view), ["-: 1 of commanders (carol)", "-: 1 of dbas ()"]);
    assert_eq!(refused(&service, "bob", &id).await, (409, "not_needed".to_owned()));
    assert_eq!(approve(&service, "dave", &id).await["state"], "approved");
    // One who is in both is enough alone.
    let id = pending(&service, &["orders:read", "db:admin"], "30m").await;
    assert_eq!(approve(&service, "frank", &id).await["state"], "approved");
}

/// What the rules say of time counts what the person held in the last 24 hours, and what of theirs waits.
#[tokio::test]
async fn time_that_was_held_counts() {
    let service = start().await;
    let first = pending(&service, &["orders:read"], "29m").await;
    let view = service.get("alice", &format!("/v1/requests/{first}")).await.ok();
    assert_eq!(needs(&view).len(), 1);
    // The first waits, and may be approved.
    let second = ask(&service, &["orders:read"], "29m").await.ok();
    assert_eq!(needs(&second)[1], "long: 1 of commanders (); 1 of dbas ()");
    let second = second["id"].as_str().unwrap().to_owned();
    service.act("alice", &second, "cancel").await.ok();
    approve(&service, "carol", &first).await;
    service.token(&first).await;
    service.advance(23 * 3600);
    assert_eq!(needs(&ask(&service, &["orders:read"], "29m").await.ok()).len(), 2);
    // Other scopes of no such rule count nothing, and neither does another person's time.
    assert_eq!(needs(&ask(&service, &["staging:read"], "29m").await.ok()).len(), 1);
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "29m" });
    assert_eq!(needs(&service.post("bob", "/v1/requests", body).await.ok()).len(), 1);
    // The pending one has lapsed, and the grant ended more than a day ago.
    service.advance(2 * 3600);
    service.tick().await;
    let last = ask(&service, &["orders:read"], "29m").await.ok();
    assert_eq!(needs(&last).len(), 1);
    service.act("alice", last["id"].as_str().unwrap(), "cancel").await.ok();
    // What is long alone takes more by itself.
    assert_eq!(needs(&ask(&service, &["orders:read"], "46m").await.ok()).len(), 2);
}

/// A grant that is given back early counts for as long as it was held.
#[tokio::test]
async fn a_grant_that_was_given_back_counts_for_less() {
    let service = start().await;
    let id = pending(&service, &["orders:read"], "29m").await;
    let view = approve(&service, "carol", &id).await;
    service.token(&id).await;
    service.advance(60);
    service.revoke("alice", view["grant"]["id"].as_str().unwrap()).await.ok();
    assert_eq!(needs(&ask(&service, &["orders:read"], "44m").await.ok()).len(), 1, "45 in all");
    assert_eq!(needs(&ask(&service, &["orders:read"], "1m").await.ok()).len(), 2, "46 in all");
}

#[tokio::test]
async fn a_change_of_the_configuration_adds_to_what_is_fixed_and_takes_nothing() {
    let service = start().await;
    let plain = config(&service.directory);
    let strict = format!("{plain}{RULES}");
    // What was asked for under two stays under two.
    let id = pending(&service, &["orders:write"], "30m").await;
    reload(&service, &plain);
    assert_eq!(approve(&service, "carol", &id).await["state"], "pending");
    assert_eq!(approve(&service, "bob", &id).await["state"], "approved");
    // What was asked for under one is under two from now on.
    let id = pending(&service, &["orders:write"], "30m").await;
    reload(&service, &strict);
    let view = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(needs(&view)[1], "writes: 2 of commanders ()");
    assert_eq!(approve(&service, "carol", &id).await["state"], "pending");
    assert_eq!(approve(&service, "frank", &id).await["state"], "approved");
}

#[tokio::test]
async fn an_approver_who_has_left_counts_no_more() {
    let service = start().await;
    let text = config(&service.directory) + RULES;
    let id = pending(&service, &["orders:write"], "30m").await;
    approve(&service, "carol", &id).await;
    reload(&service, &without(&text, "carol"));
    let view = approve(&service, "bob", &id).await;
    assert_eq!(
        (&view["state"], needs(&view)[1].as_str()),
        (&json!("pending"), "writes: 2 of commanders (bob)")
    );
    assert_eq!(approve(&service, "frank", &id).await["state"], "approved");
    // Afterwards too, until the first token is taken.
    reload(&service, &without(&without(&text, "carol"), "bob"));
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (403, "no_longer_allowed"));
    reload(&service, &without(&text, "carol"));
    service.token(&id).await;
    reload(&service, &without(&text, "bob"));
    service.token(&id).await;
}

#[tokio::test]
async fn what_one_leaves_out_the_next_do_not_bring_back() {
    let service = start().await;
    let id = pending(&service, &["orders:write", "db:admin", "orders:read"], "30m").await;
    let yes = async |who: &str, mut body: Value| {
        body["digest"] = json!(service.digest(&id).await);
        service.post(who, &format!("/v1/requests/{id}/approve"), body).await
    };
    let fewer = json!({ "scopes": ["orders:write", "orders:read"], "duration": "20m" });
    let view = yes("carol", fewer).await.ok();
    assert_eq!(needs(&view), ["-: 1 of commanders (carol)", "writes: 2 of commanders (carol)"]);
    assert_eq!(view["approvals"][0]["duration"], "20m");
    assert_eq!(
        refused(&service, "dave", &id).await,
        (403, "not_an_approver".to_owned()),
        "that is left out"
    );
    let wider = yes("bob", json!({ "scopes": ["db:admin"], "duration": "25m" })).await;
    assert_eq!(
        (wider.status.as_u16(), &wider.body["errors"][0]["field"]),
        (400, &json!("scopes[0]"))
    );
    let longer = yes("bob", json!({ "duration": "25m" })).await;
    assert_eq!(
        (longer.status.as_u16(), &longer.body["errors"][0]["field"]),
        (400, &json!("duration"))
    );
    // All that is left is what the next one approves.
    let view = yes("bob", json!({})).await.ok();
    assert_eq!(view["grant"]["scopes"], json!(["orders:write", "orders:read"]));
    assert_eq!(view["grant"]["expires_at"], "2026-11-22T02:33:00Z");
    assert_eq!(view["grant"]["approvals"][1]["duration"], "20m");
    service.token(&id).await;
}

#[tokio::test]
async fn where_it_is_known_that_too_few_can_be_asked_the_request_is_refused() {
    let service = start().await;
    let text = config(&service.directory) + RULES;
    reload(&service, &without(&without(&text, "carol"), "frank"));
    // Bob is left, and is one.
    assert_eq!(ask(&service, &["orders:write"], "30m").await.refusal(), (403, "no_approver"));
    ask(&service, &["orders:read"], "30m").await.ok();
    // Of two who are left one asks.
    reload(&service, &without(&text, "frank"));
    ask(&service, &["orders:write"], "30m").await.ok();
    let body = json!({ "scopes": ["orders:write"], "reason": "r", "duration": "30m" });
    assert_eq!(service.post("bob", "/v1/requests", body).await.refusal(), (403, "no_approver"));
}

/// Both approvals have to be on the signed trail: a row that the owner of the database adds is no approval.
#[tokio::test]
async fn an_approval_that_the_owner_of_the_database_adds_gives_no_token() {
    let service = start().await;
    let id = pending(&service, &["orders:write"], "30m").await;
    sqlx::query(
        "INSERT INTO approvals (request_id, position, approver, approved_at_ms, digest, approver_groups)
         SELECT id, 1, 'carol', submitted_at * 1000, ?1, '[\"commanders\"]' FROM requests",
    )
    .bind(service.digest(&id).await)
    .execute(&service.database().await)
    .await
    .unwrap();
    assert_eq!(approve(&service, "bob", &id).await["state"], "approved", "the rows say so");
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "approval_unproven"));
    let id = pending(&service, &["orders:write"], "29m").await;
    approve(&service, "carol", &id).await;
    approve(&service, "bob", &id).await;
    service.token(&id).await;
}
