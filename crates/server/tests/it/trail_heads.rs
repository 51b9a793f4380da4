//! The head of the trail is told to a file and with PUT, signed, and a place that does not take it holds nothing up.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use axum::{Json, Router};
use breakglass_server::config::Config;
use breakglass_server::tasks::trail_heads::keep_telling;
use breakglass_testing::service::{START, Service, config};
use serde_json::Value;

type Taken = Arc<Mutex<Vec<(String, Value)>>>;

async fn with(section: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display().to_string();
    let text = format!("{}\n[trail_heads]\n{}\n", config(&directory), section.replace("AT", &at));
    fs::write(directory.path().join("token"), "secret\n").unwrap();
    Service::start_with(directory, &text, START).await
}

/// A place that takes heads, and its URL.
async fn place(status: StatusCode) -> (Taken, String) {
    let taken = Taken::default();
    let keep = Arc::clone(&taken);
    let take = put(move |headers: HeaderMap, Json(body): Json<Value>| async move {
        let bearer = headers["authorization"].to_str().unwrap().to_owned();
        keep.lock().unwrap().push((bearer, body));
        status
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/heads", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/heads", take)).await });
    (taken, url)
}

async fn until_counted(service: &Service, place: &str, result: &str) {
    let name = format!("breakglass_trail_heads_total{{place=\"{place}\",result=\"{result}\"}}");
    for _ in 0..500 {
        if service.counter(&name).await == 1 {
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
        until_counted(&service, place, "taken").await;
    }
    telling.abort();
    let text = fs::read_to_string(service.directory.path().join("heads")).unwrap();
    let line: Value = serde_json::from_str(&text).unwrap();
    let (head, _) = service.app.store().signed_head(service.app.now()).await.unwrap();
    assert_eq!(
        (line["seq"].as_i64(), line["hash"].as_str()),
        (Some(head.seq), Some(head.hash.as_str()))
    );
    let taken = taken.lock().unwrap();
    assert_eq!(*taken, [("Bearer secret".to_owned(), line)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_takes_none_is_counted_and_the_others_have_it() {
    let (_, url) = place(StatusCode::FOUND).await;
    let section = format!("file = \"AT/heads\"\nurl = \"{url}\"\ntoken_file = \"AT/token\"");
    let service = with(&section).await;
    let telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "file", "taken").await;
    until_counted(&service, "url", "failed").await;
    telling.abort();
    service.approved().await;
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
