//! People approve while they are on call, as another system says.

use std::time::Duration;

use breakglass_server::config::{Config, InvalidConfig};
use breakglass_server::tasks::on_call::Asking;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::{START, Service, config};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::incidents::says;

/// `orders:read` is approved by those on call by the schedule CASE alone.
fn text(directory: &TempDir, pager: &Receiver, case: &str) -> String {
    let base = pager.url.strip_suffix("/events").unwrap();
    let text = config(directory)
        .replacen("name = \"bob\"\n", "name = \"bob\"\nmail = \"bob@corp.test\"\n", 1)
        .replacen("approvers = [\"commanders\"]", &format!("approvers = [\"on-call:{case}\"]"), 1);
    format!(
        "{text}\n[on_call]\nurl = \"{base}/{{schedule}}/people\"\nlist = \"/oncalls\"\nperson = \"/who\"\n"
    )
}

fn on_call(people: &[&str]) -> Reply {
    let entries: Vec<Value> = people.iter().map(|who| json!({ "who": who })).collect();
    says(json!({ "oncalls": entries }))
}

/// What a system answers about the schedule that is named like the case.
fn said(case: &str, elsewhere: &str) -> Reply {
    let leaked = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    match case {
        "by-name" => on_call(&["bob"]),
        "by-mail" => on_call(&["erin@corp.test", "bob@corp.test"]),
        "other-person" => on_call(&["carol"]),
        "other-spelling" => on_call(&["Bob", "BOB@corp.test"]),
        "requester" => on_call(&["alice"]),
        "stranger" => on_call(&["mallory@corp.test"]),
        "no-person" => on_call(&[]),
        "404" => Reply::Status(404, "", r#"{"oncalls": [{"who": "bob"}]}"#),
        "500" => Reply::Status(500, "", r#"{"oncalls": [{"who": "bob"}]}"#),
        "429" => Reply::Status(429, "retry-after: 1\r\n", ""),
        "401" => Reply::Status(401, "", r#"{"oncalls": [{"who": "bob"}]}"#),
        "redirect" => Reply::Status(302, leaked(format!("location: {elsewhere}\r\n")), ""),
        "garbage" => Reply::Garbage,
        "closes" => Reply::Close,
        "empty" => Reply::Status(200, "", ""),
        "html" => Reply::Status(200, "content-type: text/html\r\n", "<html>bob</html>"),
        "other-form" => says(json!({ "oncalls": { "who": "bob" } })),
        "half" => says(json!({ "oncalls": [{ "who": "bob" }, { "id": "P1" }] })),
        "everyone" => says(json!({ "oncalls": vec![json!({ "who": "bob" }); 101] })),
        "never" => Reply::Hang(Duration::from_secs(20)),
        "slow" => {
            std::thread::sleep(Duration::from_secs(3));
            on_call(&["bob"])
        }
        "large" => {
            let rest = "x".repeat(10 << 20);
            says(json!({ "oncalls": [{ "who": "bob" }], "rest": rest }))
        }
        other => panic!("no case {other}"),
    }
}

fn pager() -> (Receiver, Receiver) {
    let elsewhere = Receiver::answering(|_, _| on_call(&["bob"]));
    let url = elsewhere.url.clone();
    let pager = Receiver::answering(move |_, taken| {
        let case = taken.path.trim_start_matches('/').split('/').next().unwrap();
        said(case, &url)
    });
    (pager, elsewhere)
}

async fn ask(service: &Service) -> (u16, Value) {
    let body = json!({ "scopes": ["orders:read"], "reason": "stuck", "duration": "30m" });
    let answer = service.post("alice", "/v1/requests", body).await;
    (answer.status.as_u16(), answer.body.clone())
}

/// Each answer: whether it lets bob approve. Silence is "no one is on call", and never "everyone".
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_schedule_decides_and_silence_lets_no_person_approve() {
    let (pager, elsewhere) = pager();
    for (case, may) in [
        ("by-name", true),
        ("by-mail", true),
        ("other-person", false),
        ("other-spelling", false),
        ("requester", false),
        ("stranger", false),
        ("no-person", false),
        ("404", false),
        ("500", false),
        ("429", false),
        ("401", false),
        ("redirect", false),
        ("garbage", false),
        ("closes", false),
        ("empty", false),
        ("html", false),
        ("other-form", false),
        ("half", false),
        ("everyone", false),
        ("never", false),
        ("slow", false),
        ("large", false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let text = text(&directory, &pager, case);
        let service = Service::start_with(directory, &text, START).await;
        let before = ask(&service).await;
        assert_eq!((before.0, &before.1["reason"]), (403, &json!("no_approver")), "{case}: before");
        Asking::default().ask(&service.app).await;
        let (status, view) = ask(&service).await;
        match (may, case) {
            (true, _) => {
                assert_eq!((status, &view["approvers"]), (201, &json!(["bob"])), "{case}");
                let id = view["id"].as_str().unwrap();
                let refused = service.act("carol", id, "approve").await;
                assert_eq!(refused.refusal(), (403, "not_an_approver"), "{case}");
                let view = service.act("bob", id, "approve").await.ok();
                assert_eq!(view["state"], "approved", "{case}");
            }
            (false, "other-person") => {
                let id = view["id"].as_str().unwrap();
                let refused = service.act("bob", id, "approve").await;
                assert_eq!(refused.refusal(), (403, "not_an_approver"), "{case}");
            }
            (false, _) => {
                assert_eq!((status, &view["reason"]), (403, &json!("no_approver")), "{case}");
            }
        }
    }
    assert_eq!(elsewhere.calls().len(), 0, "no redirect is followed");
}

/// A shift ends: who approved while on call has approved; who is not on call any more does not approve. An answer counts for a
/// while, and then no person is on call.
#[tokio::test(flavor = "multi_thread")]
async fn a_shift_ends_and_what_was_approved_in_it_stays() {
    let pager = Receiver::answering(|_, _| on_call(&["bob"]));
    let directory = tempfile::tempdir().unwrap();
    let text = text(&directory, &pager, "a b");
    let service = Service::start_with(directory, &text, START).await;
    Asking::default().ask(&service.app).await;
    assert_eq!(pager.calls()[0].path, "/a%20b/people");
    let (first, second) = (ask(&service).await.1, ask(&service).await.1);
    let [first, second] = [&first, &second].map(|view| view["id"].as_str().unwrap());
    service.act("bob", first, "approve").await.ok();
    pager.answers(|_, _| on_call(&["carol"]));
    Asking::default().ask(&service.app).await;
    assert_eq!(service.act("bob", second, "approve").await.refusal(), (403, "not_an_approver"));
    service.token(first).await;
    // Silent from here on: carol is on call for five minutes more, and then no person.
    pager.answers(|_, _| Reply::Close);
    service.advance(300);
    Asking::default().ask(&service.app).await;
    let view = service.get("alice", &format!("/v1/requests/{second}")).await.ok();
    assert_eq!(view["approvers"], json!(["carol"]));
    service.advance(1);
    assert_eq!(service.act("carol", second, "approve").await.refusal(), (403, "not_an_approver"));
    let view = service.get("alice", &format!("/v1/requests/{second}")).await.ok();
    assert_eq!(view["approvers"], json!([]));
    // It answers again.
    pager.answers(|_, _| on_call(&["carol"]));
    Asking::default().ask(&service.app).await;
    service.act("carol", second, "approve").await.ok();
}

fn errors(text: &str) -> Vec<String> {
    match Config::parse(text) {
        Err(InvalidConfig::Fields(errors)) => errors.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wrong_with_it_says_its_field() {
    let pager = Receiver::start();
    let good = text(&tempfile::tempdir().unwrap(), &pager, "x");
    assert!(Config::parse(&good).is_ok());
    let url =
        format!("url = \"{}/{{schedule}}/people\"", pager.url.strip_suffix("/events").unwrap());
    for (from, to, error) in [
        (
            url.as_str(),
            "url = \"https://pager.test/\"",
            "on_call.url: expected a URL with one `{schedule}`",
        ),
        (
            &url,
            "url = \"http://pager.test/{schedule}\"",
            "on_call.url: other machines are on the way",
        ),
        ("list = \"/oncalls\"", "list = \"oncalls\"", "on_call.list: expected a JSON pointer"),
        ("person = \"/who\"", "every = \"4s\"", "on_call.every: expected at least 5s"),
        (
            "person = \"/who\"",
            "every = \"1m\"\nvalid_for = \"59s\"",
            "on_call.valid_for: expected at least `every`",
        ),
        ("person = \"/who\"", "valid_for = \"2h\"", "on_call.valid_for: expected at most 1h"),
        (
            "on-call:x",
            "on-call:..",
            "on_call: expected the name of a schedule after `on-call:` that can stand in `url`, got `..`",
        ),
        ("on-call:x", "on-call:", "on_call: expected the name of a schedule"),
        (
            "requesters = [\"oncall\"]",
            "requesters = [\"on-call:x\"]",
            "scopes[0].requesters: expected a group in which people stay, got `on-call:x`",
        ),
        (
            "auditors = [\"auditors\"]",
            "auditors = [\"on-call:x\"]",
            "auditors: expected a group in which people stay",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let found = errors(&good.replacen(from, to, 1));
        assert!(found.iter().any(|one| one.starts_with(error)), "{from} -> {to}: {found:?}");
    }
    // Without the table it is a group like others.
    let (plain, _) = good.split_once("[on_call]").unwrap();
    let config = Config::parse(plain).unwrap();
    let warnings = config.warnings();
    assert!(
        warnings.iter().any(|one| one.contains("groups that begin with `on-call:`")),
        "{warnings:?}"
    );
    let idle = good.replacen("on-call:x", "commanders", 1);
    let warnings = Config::parse(&idle).unwrap().warnings();
    assert!(warnings.iter().any(|one| one.starts_with("on_call: no `approvers`")), "{warnings:?}");
}
