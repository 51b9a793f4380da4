//! What the tests of incidents share: a system that keeps incidents, and a service that asks it.

use std::time::Duration;

use breakglass_server::domain::check_incidents;
use breakglass_testing::receiver::{Receiver, Reply, Taken};
use breakglass_testing::service::{Answer, START, Service, config};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database_check::checked;

/// How the answers of [`tracker`] are read.
pub(crate) const FIELDS: &str = r#"
state = { pointer = "/fields/status", open = ["new", "active", "7", "true"] }
owner = { pointers = ["/fields/owner"], teams = ["/fields/teams"] }
opened_by = "/fields/reporter"
"#;

fn fixed(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// An answer with this body.
pub(crate) fn says(body: Value) -> Reply {
    Reply::Status(200, "", fixed(body.to_string()))
}

/// An incident in this state, of this owner.
pub(crate) fn incident(status: Value, owner: Value) -> Reply {
    says(json!({ "fields": { "status": status, "owner": owner, "reporter": "bob" } }))
}

/// What a system answers about the incident that is named like the case; `elsewhere` is where its redirect goes.
pub(crate) fn tracked(case: &str, elsewhere: &str) -> Reply {
    match case {
        "open" => incident(json!("new"), json!("alice")),
        "by-mail" => incident(json!("active"), json!("alice@corp.test")),
        "by-team" => says(json!({ "fields": { "status": "new", "teams": ["dbas", "oncall"] } })),
        "owners" => incident(json!("new"), json!(["bob", "alice"])),
        "own" => {
            says(json!({ "fields": { "status": "new", "owner": "alice", "reporter": "alice" } }))
        }
        "number" => incident(json!(7), json!("alice")),
        "boolean" => incident(json!(true), json!("alice")),
        "closed" => incident(json!("done"), json!("alice")),
        "spelled" => incident(json!("New"), json!("alice")),
        "other-number" => incident(json!(7.0), json!("alice")),
        "other-person" => incident(json!("new"), json!("bob")),
        "other-spelling" => incident(json!("new"), json!("Alice")),
        "other-team" => says(json!({ "fields": { "status": "new", "teams": "dbas" } })),
        "team-as-person" => incident(json!("new"), json!("oncall")),
        "no-owner" => incident(json!("new"), Value::Null),
        "number-owner" => incident(json!("new"), json!(4711)),
        "object-owner" => incident(json!("new"), json!({ "name": "alice" })),
        "404" | "unknown" => {
            Reply::Status(404, "", r#"{"fields": {"status": "new", "owner": "alice"}}"#)
        }
        "410" => Reply::Status(410, "", ""),
        "none-found" => says(json!({ "fields": [] })),
        "missing" => says(json!({ "fields": { "owner": "alice" } })),
        "null-state" => incident(Value::Null, json!("alice")),
        "object-state" => incident(json!({ "name": "new" }), json!("alice")),
        "never" => Reply::Hang(Duration::from_secs(20)),
        "slow" => {
            std::thread::sleep(Duration::from_secs(3));
            incident(json!("new"), json!("alice"))
        }
        "garbage" => Reply::Garbage,
        "closes" => Reply::Close,
        "empty" => Reply::Status(200, "", ""),
        "html" => Reply::Status(200, "content-type: text/html\r\n", "<html>new</html>"),
        "500" => Reply::Status(500, "", r#"{"fields": {"status": "new", "owner": "alice"}}"#),
        "429" => Reply::Status(429, "retry-after: 1\r\n", ""),
        "401" => Reply::Status(401, "", ""),
        "redirect" => Reply::Status(302, fixed(format!("location: {elsewhere}\r\n")), ""),
        "large" => {
            let rest = "x".repeat(10 << 20);
            says(json!({ "fields": { "status": "new", "owner": "alice" }, "rest": rest }))
        }
        "deep" => Reply::Status(200, "", fixed("[".repeat(60_000))),
        "deep-inside" => {
            let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
            Reply::Status(
                200,
                "",
                fixed(format!(
                    r#"{{"fields": {{"status": "new", "owner": "alice"}}, "x": {deep}}}"#
                )),
            )
        }
        other => panic!("no case {other}"),
    }
}

/// A system that answers by the incident's name.
pub(crate) fn tracker() -> (Receiver, Receiver) {
    let elsewhere = Receiver::answering(|_, _| incident(json!("new"), json!("alice")));
    let url = elsewhere.url.clone();
    let tracker = Receiver::answering(move |_, taken| tracked(&name(taken), &url));
    (tracker, elsewhere)
}

/// The incident that is asked for.
pub(crate) fn name(taken: &Taken) -> String {
    taken.path.rsplit('/').next().unwrap().to_owned()
}

/// The shared configuration, whose scope `orders:read` has its incidents checked at `tracker`, and `orders:write` needs one.
pub(crate) fn checking(directory: &TempDir, tracker: &Receiver, more: &str) -> String {
    let base = tracker.url.strip_suffix("/events").unwrap();
    let text = config(directory)
        .replacen("name = \"alice\"\n", "name = \"alice\"\nmail = \"alice@corp.test\"\n", 1)
        .replacen("name = \"orders:read\"\n", "name = \"orders:read\"\nincident = \"checked\"\n", 1)
        .replacen(
            "name = \"orders:write\"\n",
            "name = \"orders:write\"\nincident = \"required\"\n",
            1,
        );
    format!("{text}\n[incident_check]\nurl = \"{base}/api/{{incident}}\"\n{FIELDS}{more}\n")
}

/// The service that asks `tracker`.
pub(crate) async fn start(tracker: &Receiver, more: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = checking(&directory, tracker, more);
    Service::start_with(directory, &text, START).await
}

/// Alice asks for `orders:read` and names this incident.
pub(crate) async fn ask(service: &Service, incident: &str) -> Answer {
    ask_for(service, &["orders:read"], Some(incident)).await
}

pub(crate) async fn ask_for(service: &Service, scopes: &[&str], incident: Option<&str>) -> Answer {
    let body = json!({
        "scopes": scopes, "reason": "orders are stuck", "duration": "30m", "incident": incident,
    });
    service.post("alice", "/v1/requests", body).await
}

/// A request that was let through; its id.
pub(crate) async fn asked(service: &Service, incident: &str) -> String {
    ask(service, incident).await.ok()["id"].as_str().unwrap().to_owned()
}

/// The events of a request: the end of the type, and what it says.
pub(crate) async fn events(service: &Service, id: &str) -> Vec<(String, Value)> {
    let events = service.app.store().events_after(0, 5000).await.unwrap();
    let of = events.into_iter().filter(|event| event.request_id.as_deref() == Some(id));
    of.map(|event| (event.kind.rsplit('.').next().unwrap().to_owned(), event.data)).collect()
}

pub(crate) async fn kinds(service: &Service, id: &str) -> Vec<String> {
    events(service, id).await.into_iter().map(|(kind, _)| kind).collect()
}

pub(crate) async fn view(service: &Service, id: &str) -> Value {
    service.get("carol", &format!("/v1/requests/{id}")).await.ok()
}

/// The database is as the service leaves it, by `breakglass database check`.
pub(crate) async fn clean(service: &Service) {
    let report = checked(&service.directory).await;
    assert!(report.is_clean(), "{report:#?}");
}

/// The time passes, and the service does what it does each second.
pub(crate) async fn pass(service: &Service, seconds: i64) -> usize {
    service.advance(seconds);
    service.tick().await;
    check_incidents(&service.app, service.app.now()).await.unwrap()
}
