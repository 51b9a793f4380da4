//! How many approvers were told: what the answer to a submission says, and the event where none was reached.

use std::time::Duration;

use breakglass_server::config::Config;
use breakglass_server::store::check::check;
use breakglass_server::tasks::unreached::keep_saying;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::{START, Service};
use breakglass_testing::sessions::config_with_providers;
use breakglass_testing::smtp::MailServer;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::deliveries::{list, until, until_taken, webhook, with_sinks};
use super::people::{mails, settled, start, to_people, with_mails};

/// The service with these sinks and addresses, which says whom it did not reach.
async fn service(sinks: &str, edit: impl Fn(&str) -> String) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = edit(&with_sinks(&directory, sinks));
    let service = start(directory, &text, START).await;
    tokio::spawn(keep_saying(service.app.clone()));
    service
}

/// Asks for a scope: the request as it is once its deliveries have ended.
async fn ask(service: &Service, scope: &str) -> Value {
    settled(service, "alice", asked(service, scope).await).await
}

/// Asks for a scope: the answer, which waits 2 s at most.
async fn asked(service: &Service, scope: &str) -> Value {
    let body = json!({ "scopes": [scope], "reason": "r", "duration": "30m" });
    service.post("alice", "/v1/requests", body).await.ok()
}

fn channel(name: &str, receiver: &Receiver, group: &str) -> String {
    webhook(name, receiver, &format!("approver_groups = [\"{group}\"]"))
}

fn told(members: &str, [known, reached, waiting]: [i64; 3], channels: Value) -> Value {
    json!({ "members": members, "known": known, "reached": reached, "waiting": waiting, "channels": channels })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_told_of_the_requests_of_its_groups_alone() {
    let (commanders, dbas, all) = (Receiver::start(), Receiver::start(), Receiver::start());
    let sinks = format!(
        "{}{}{}",
        channel("commanders", &commanders, "commanders"),
        channel("dbas", &dbas, "dbas"),
        webhook("all", &all, ""),
    );
    let service = service(&sinks, str::to_owned).await;
    let view = ask(&service, "orders:read").await;
    let channels = json!([{ "sink": "commanders", "state": "delivered" }]);
    assert_eq!(view["told"], told("complete", [3, 3, 0], channels));
    let view = ask(&service, "db:admin").await;
    let channels = json!([{ "sink": "dbas", "state": "delivered" }]);
    assert_eq!(view["told"], told("complete", [2, 2, 0], channels.clone()));
    service.act("dave", view["id"].as_str().unwrap(), "deny").await.ok();
    // Of what is no request's no channel hears.
    service.post("dave", "/v1/deliveries/evt_0/replay", json!({})).await.refusal();
    until(async || all.taken().len() == 3 && dbas.taken().len() == 2).await;
    assert_eq!(commanders.types(), ["breakglass.request.submitted"]);
    assert_eq!(dbas.types(), ["breakglass.request.submitted", "breakglass.request.denied"]);
    // A request of both is told to both.
    let body = json!({ "scopes": ["orders:read", "db:admin"], "reason": "r", "duration": "30m" });
    let view = service.post("alice", "/v1/requests", body).await.ok();
    assert_eq!(view["told"]["known"], 4, "those of either");
    until(async || commanders.taken().len() == 2 && dbas.taken().len() == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mailbox_that_is_not_there_is_not_reached_and_holds_up_no_other() {
    let server = MailServer::plain();
    let service = service(&to_people(server.port), |text| {
        mails(text).replace("bob@corp.test", "refused@corp.test")
    })
    .await;
    for _ in 0..8 {
        let view = ask(&service, "orders:read").await;
        assert_eq!(view["told"], told("complete", [3, 2, 0], json!([])));
    }
    let listed = list(&service, "?state=dead").await;
    let dead = listed["deliveries"].as_array().unwrap();
    assert!(dead.len() == 8 && dead.iter().all(|one| one["recipient"] == "bob"), "{dead:?}");
    assert!(dead[0]["outcome"].as_str().unwrap().contains("5.1.1 no such mailbox"), "{dead:?}");
    assert_eq!(listed["sinks"][0]["circuit"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_down_is_waited_for_two_seconds_and_then_it_waits() {
    let (down, pager) = (Receiver::answering(|_, _| Reply::Status(503, "", "")), Receiver::start());
    let filter = "types = [\"breakglass.request.unreached\"]";
    let sinks =
        format!("{}{}", channel("oncall", &down, "commanders"), webhook("pager", &pager, filter));
    let service = service(&sinks, str::to_owned).await;
    let begun = Instant::now();
    let view = asked(&service, "orders:read").await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    let channels = json!([{ "sink": "oncall", "state": "waiting" }]);
    assert_eq!(view["told"], told("complete", [3, 0, 3], channels));
    assert_eq!(pager.taken().len(), 0);
    service.advance(31);
    until_taken(&service, &pager, 1).await;
    let event = pager.taken()[0].json();
    assert_eq!((&event["severity"], &event["actor"]), (&json!("critical"), &json!("service")));
    assert_eq!(event["request"], view["id"]);
    assert_eq!(event["data"]["event"], json!({ "known": 3, "members": "complete" }));
    // The channel that comes back hears of the request, and not that it did not hear of it.
    down.answers(|_, _| Reply::Status(200, "", ""));
    until_taken(&service, &down, 1).await;
    let id = view["id"].as_str().unwrap();
    let view = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(view["told"]["reached"], 3);
    service.act("carol", id, "deny").await.ok();
    until_taken(&service, &down, 2).await;
    assert_eq!(down.taken()[1].json()["type"], "breakglass.request.denied");
    assert_eq!(pager.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_submission_says_what_is_so_and_does_not_wait() {
    let down = Receiver::answering(|_, _| Reply::Status(503, "", ""));
    let service = service(&channel("oncall", &down, "commanders"), str::to_owned).await;
    let send = async || {
        let request = axum::http::Request::post("/v1/requests")
            .header("authorization", "Bearer token-alice")
            .header("idempotency-key", "one")
            .header("content-type", "application/json");
        let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
        let body = axum::body::Body::from(body.to_string());
        service.send(request.body(body).unwrap()).await.ok()
    };
    let first = send().await;
    assert_eq!(first["told"]["waiting"], 3);
    down.answers(|_, _| Reply::Status(200, "", ""));
    until_taken(&service, &down, 1).await;
    until(async || send().await["told"]["reached"] == 3).await;
    assert_eq!(send().await["id"], first["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sink_the_approvers_are_counted_and_none_is_reached() {
    let service = Service::start().await;
    assert_eq!(ask(&service, "orders:read").await["told"], told("complete", [3, 0, 0], json!([])));
}

/// Where people sign in, it is not known who else may approve: the channel took it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_not_known_are_said_to_be_unknown() {
    let receiver = Receiver::start();
    let directory = tempfile::tempdir().unwrap();
    let people = config_with_providers(&directory, "");
    // The secret of the webhook, in place of that of the providers, which are not asked.
    with_sinks(&directory, "");
    let at = directory.path().display().to_string();
    let text = format!("{people}{}", channel("dbas", &receiver, "dbas").replace("AT", &at));
    let service = start(directory, &text, START).await;
    let channels = json!([{ "sink": "dbas", "state": "delivered" }]);
    assert_eq!(ask(&service, "db:admin").await["told"], told("unknown", [0, 0, 0], channels));
}

/// Those to whom a request is escalated hear of it then, by their channel and by mail, and count as told from then on.
#[tokio::test(flavor = "multi_thread")]
async fn those_to_whom_a_request_is_escalated_are_told_once_it_is() {
    let (commanders, dbas, server) = (Receiver::start(), Receiver::start(), MailServer::plain());
    let sinks = format!(
        "{}{}{}",
        channel("commanders", &commanders, "commanders"),
        channel("dbas", &dbas, "dbas"),
        to_people(server.port)
    );
    let rule = "[[approval_rules]]\nname = \"reads\"\nscopes = [\"orders:read\"]\nneed = [{ from = [\"commanders\"] }]\n\
                escalate = [{ after = \"5m\", to = [\"dbas\"] }]\n";
    let addresses = [("alice", "alice@corp.test"), ("dave", "dave@corp.test")];
    let service = service(&sinks, |text| format!("{}{rule}", with_mails(text, &addresses))).await;
    let view = ask(&service, "orders:read").await;
    let channels = json!([{ "sink": "commanders", "state": "delivered" }]);
    assert_eq!(view["told"], told("complete", [3, 3, 0], channels));
    assert_eq!((dbas.taken().len(), server.letters().len()), (0, 0));
    service.advance(300);
    let (id, now) = (view["id"].as_str().unwrap(), service.app.now());
    breakglass_server::domain::escalate(&service.app, now, id).await.unwrap();
    until(async || dbas.taken().len() == 1).await;
    assert_eq!(dbas.types(), ["breakglass.request.escalated"]);
    let event = dbas.taken()[0].json();
    assert_eq!(
        (&event["severity"], &event["data"]["event"]["to"]),
        (&json!("warning"), &json!(["dbas"]))
    );
    let letters = server.until(2).await;
    let mut to: Vec<String> = letters.iter().map(|letter| letter["to"][0].to_string()).collect();
    to.sort_unstable();
    assert_eq!(to, ["\"alice@corp.test\"", "\"dave@corp.test\""]);
    let view =
        settled(&service, "alice", service.get("alice", &format!("/v1/requests/{id}")).await.ok())
            .await;
    assert_eq!((&view["told"]["known"], &view["told"]["reached"]), (&json!(4), &json!(4)));
}

/// No channel of the group, and no address: it is said at once, and once.
#[tokio::test(flavor = "multi_thread")]
async fn where_no_approver_can_be_reached_the_event_says_so_at_once_and_once() {
    let (pager, dbas, server) = (Receiver::start(), Receiver::start(), MailServer::plain());
    let filter = "types = [\"breakglass.request.unreached\"]";
    let sinks = format!(
        "{}{}{}",
        webhook("pager", &pager, filter),
        channel("dbas", &dbas, "dbas"),
        to_people(server.port)
    );
    let directory = tempfile::tempdir().unwrap();
    let text = with_mails(&with_sinks(&directory, &sinks), &[("alice", "alice@corp.test")]);
    let first = start(directory, &text, START).await;
    let saying = tokio::spawn(keep_saying(first.app.clone()));
    let view = ask(&first, "orders:read").await;
    assert_eq!(view["told"], told("complete", [3, 0, 0], json!([])));
    // By the clock of the service no second passes.
    until(async || pager.taken().len() == 1).await;
    assert_eq!(pager.taken()[0].json()["request"], view["id"]);
    // The requester has a letter of it.
    let letter = &server.until(1).await[0];
    assert_eq!(letter["to"], json!(["alice@corp.test"]));
    // A request that was told is not said to be unreached.
    let reached = ask(&first, "db:admin").await;
    assert_eq!(reached["told"]["reached"], 2);
    first.advance(120);
    saying.abort();
    first.app.outbox().close().await;
    first.app.store().close().await;
    // A process that was killed before it wrote down that it was said.
    let path = first.directory.path().join("approvals-outbox.db");
    let outbox = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query("INSERT OR IGNORE INTO submissions VALUES (?1, 0)")
        .bind(view["id"].as_str().unwrap())
        .execute(&outbox)
        .await
        .unwrap();
    let Service { directory, .. } = first;
    let second = start(directory, &text, START + 125).await;
    for _ in 0..3 {
        let said = breakglass_server::domain::say_unreached(&second.app, second.app.now()).await;
        assert_eq!(said.unwrap(), 0);
    }
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM submissions").fetch_one(&outbox).await.unwrap();
    assert_eq!(left, 0);
    let events = second.get("grace", "/v1/audit/events").await.ok();
    let types = events["events"].as_array().unwrap().iter().map(|event| event["type"].clone());
    let unreached: Vec<Value> =
        types.filter(|kind| kind == "breakglass.request.unreached").collect();
    assert_eq!(unreached.len(), 1, "{events}");
    // It is a link of the signed chain, and nothing is missing beside it.
    let report = check(&Config::parse(&text).unwrap()).await.unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
    assert!(dbas.types().iter().all(|kind| kind != "breakglass.request.unreached"));
}
