//! The head of the trail is told to a file and with PUT, signed, and a place that does not take it holds nothing up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::routing::{MethodRouter, any, put};
use axum::{Json, Router};
use breakglass_server::config::Config;
use breakglass_server::tasks::trail_heads::keep_telling;
use breakglass_testing::service::{START, Service, config};
use serde_json::Value;

type Taken = Arc<Mutex<Vec<(String, Value)>>>;

pub(crate) async fn with(section: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display().to_string();
    let text = format!("{}\n[trail_heads]\n{}\n", config(&directory), section.replace("AT", &at));
    fs::write(directory.path().join("token"), "secret\n").unwrap();
    Service::start_with(directory, &text, START).await
}

/// A place that takes heads, and its URL.
async fn place(status: StatusCode) -> (Taken, String) {
    place_that_answers(Arc::new(Mutex::new(status))).await
}

/// The same, with a status that can be changed.
async fn place_that_answers(status: Arc<Mutex<StatusCode>>) -> (Taken, String) {
    let taken = Taken::default();
    let keep = Arc::clone(&taken);
    let take = put(move |headers: HeaderMap, Json(body): Json<Value>| async move {
        let bearer = headers["authorization"].to_str().unwrap().to_owned();
        keep.lock().unwrap().push((bearer, body));
        *status.lock().unwrap()
    });
    (taken, served(take).await)
}

/// The URL at which this answers.
async fn served(route: MethodRouter) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/heads", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/heads", route)).await });
    url
}

pub(crate) async fn until_counted(service: &Service, place: &str, result: &str, times: i64) {
    let name = format!("breakglass_trail_heads_total{{place=\"{place}\",result=\"{result}\"}}");
    for _ in 0..1500 {
        if service.counter(&name).await == times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} never came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_goes_to_the_file_and_to_the_url() {
    let (taken, url) = place(StatusCode::NO_CONTENT).await;
    let section =
        format!("file = \"AT/heads\"\nlog = true\nurl = \"{url}\"\ntoken_file = \"AT/token\"");
    let service = with(&section).await;
    service.pending().await;
    let telling = tokio::spawn(keep_telling(service.app.clone()));
    for place in ["file", "log", "url"] {
        until_counted(&service, place, "taken", 1).await;
    }
    telling.abort();
    let text = fs::read_to_string(service.directory.path().join("heads")).unwrap();
    let line: Value = serde_json::from_str(&text).unwrap();
    let (head, _) = service.app.store().signed_head(service.app.now()).await.unwrap();
    assert_eq!(
        (line["seq"].as_i64(), line["hash"].as_str()),
        (Some(head.seq), Some(head.hash.as_str()))
    );
    assert_eq!(*taken.lock().unwrap(), [("Bearer secret".to_owned(), line)]);
    let path = service.directory.path().join("heads");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // The next one stands after it.
    service.pending().await;
    let telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "file", "taken", 2).await;
    telling.abort();
    let both = fs::read_to_string(&path).unwrap();
    assert!(both.starts_with(&text) && both.lines().count() == 2, "{both}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_was_cut_off_takes_no_other_along() {
    let service = with("file = \"AT/heads\"").await;
    let path = service.directory.path().join("heads");
    fs::write(&path, r#"{"hash": "9f86"#).unwrap();
    let telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "file", "taken", 1).await;
    telling.abort();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, r#"{"hash": "9f86"#), "{text}");
    assert!(serde_json::from_str::<Value>(lines[1]).unwrap()["seq"].is_i64());
}

/// A named pipe that no process reads stands for a file system that does not answer: opening it never returns.
#[test]
fn a_file_that_does_not_answer_does_not_hold_up_the_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let service = with("file = \"AT/heads\"").await;
        let pipe = service.directory.path().join("heads");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let telling = tokio::spawn(keep_telling(service.app.clone()));
        until_counted(&service, "file", "failed", 1).await;
        telling.abort();
    });
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(runtime);
        ended.send(()).unwrap();
    });
    end.recv_timeout(Duration::from_secs(30)).expect("the runtime ends");
}

/// The credential goes to the place that is named, and to no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let elsewhere = any(move || async move {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let target = served(elsewhere).await;
    for status in [StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT] {
        let to = target.clone();
        let redirect = put(move || async move { (status, [("location", to)]) });
        let url = served(redirect).await;
        let service = with(&format!("url = \"{url}\"\ntoken_file = \"AT/token\"")).await;
        let telling = tokio::spawn(keep_telling(service.app.clone()));
        until_counted(&service, "url", "failed", 1).await;
        telling.abort();
        assert_eq!(asked.load(Ordering::Relaxed), 0, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_takes_none_is_counted_and_the_others_have_it() {
    let (_, url) = place(StatusCode::FOUND).await;
    let section = format!("file = \"AT/heads\"\nurl = \"{url}\"\ntoken_file = \"AT/token\"");
    let service = with(&section).await;
    let telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "file", "taken", 1).await;
    until_counted(&service, "url", "failed", 1).await;
    telling.abort();
    service.approved().await;
}

pub(crate) async fn untold(service: &Service) -> Value {
    service.get("grace", "/healthz?detail=1").await.ok()["untold_heads"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_the_places_that_did_not_take_it_until_they_do() {
    let status = Arc::new(Mutex::new(StatusCode::INSUFFICIENT_STORAGE));
    let (taken, url) = place_that_answers(Arc::clone(&status)).await;
    let section = format!("file = \"AT/away/heads\"\nurl = \"{url}\"\ntoken_file = \"AT/token\"");
    let service = with(&section).await;
    assert_eq!(untold(&service).await, Value::Null);
    let mut telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "file", "failed", 1).await;
    until_counted(&service, "url", "failed", 1).await;
    let alice = service.get("alice", "/healthz?detail=1").await.ok();
    assert_eq!(alice.get("untold_heads"), None, "for auditors: {alice}");
    let first = untold(&service).await;
    let named = |place: usize, member: &str| first[place][member].as_str().unwrap().to_owned();
    assert_eq!((named(0, "place"), named(1, "place")), ("file".to_owned(), "url".to_owned()));
    assert!(named(0, "error").contains("/away/heads: No such file"), "{first}");
    assert!(named(1, "error").contains(&url) && named(1, "error").contains("507"), "{first}");

    // It is said since the first one that was not taken, and no longer than that.
    service.advance(300);
    telling.abort();
    fs::create_dir(service.directory.path().join("away")).unwrap();
    telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "file", "taken", 1).await;
    until_counted(&service, "url", "failed", 2).await;
    assert_eq!(untold(&service).await, Value::from(vec![first[1].clone()]));
    telling.abort();
    *status.lock().unwrap() = StatusCode::OK;
    telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "url", "taken", 1).await;
    assert_eq!((untold(&service).await, taken.lock().unwrap().len()), (Value::Null, 3));
    telling.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn health_forgets_a_place_that_the_configuration_does_not_name_any_more() {
    let service = with("file = \"AT/away/heads\"").await;
    let telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "file", "failed", 1).await;
    assert_eq!(untold(&service).await[0]["place"], "file");
    telling.abort();
    service.app.reconfigure(Config::parse(&config(&service.directory)).unwrap());
    let telling = tokio::spawn(keep_telling(service.app.clone()));
    for _ in 0..500 {
        if untold(&service).await == Value::Null {
            return telling.abort();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{}", untold(&service).await);
}

#[test]
fn a_wrong_section_says_what_is_expected() {
    let directory = tempfile::tempdir().unwrap();
    for (section, expected) in [
        ("", "expected `file`, `log = true` or `url`"),
        (
            "url = \"http://example.org/heads\"",
            "expected `https://..`, or `http://` on a loopback address",
        ),
        ("url = \"http://127.0.0.1.evil.test/\"", "expected `https://..`"),
        ("url = \"ftp://127.0.0.1/\"", "expected `https://..`"),
        ("log = true\ntoken_file = \"/t\"", "it is for `url`, which is not there"),
    ] {
        let text = format!("{}\n[trail_heads]\n{section}\n", config(&directory));
        let error = Config::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{section}: {error}");
    }
    for url in [
        "https://heads.internal/x",
        "http://localhost:8080/x",
        "http://[::1]:80/",
        "http://127.0.0.1/",
    ] {
        let text = format!("{}\n[trail_heads]\nurl = \"{url}\"\n", config(&directory));
        Config::parse(&text).unwrap();
    }
}
