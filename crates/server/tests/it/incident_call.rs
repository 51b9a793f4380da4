//! What is sent to the system that keeps incidents: the raw request line, and the headers.

use std::fs;

use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::{START, Service};
use serde_json::json;

use crate::incidents::{ask, checking, incident, start};

fn open() -> Receiver {
    Receiver::answering(|_, _| incident(json!("new"), json!("alice")))
}

#[tokio::test]
async fn an_incident_changes_nothing_of_the_request_line_but_its_place() {
    let tracker = open();
    for (template, before, after) in
        [("/api/{incident}", "/api/", ""), ("/find?n={incident}&limit=1", "/find?n=", "&limit=1")]
    {
        let directory = tempfile::tempdir().unwrap();
        let text = checking(&directory, &tracker, "timeout = \"10s\"")
            .replace("/api/{incident}", template);
        let service = Service::start_with(directory, &text, START).await;
        for (named, written) in [
            ("INC-1", "INC-1"),
            ("a/b", "a%2Fb"),
            ("a?b", "a%3Fb"),
            ("a#b", "a%23b"),
            ("a%2fb", "a%252fb"),
            ("a%00b", "a%2500b"),
            ("a&n=b", "a%26n%3Db"),
            ("a:80@evil.test", "a%3A80%40evil.test"),
            ("//evil.test/x", "%2F%2Fevil.test%2Fx"),
            ("a\\b", "a%5Cb"),
            ("a\"<>^`{|}", "a%22%3C%3E%5E%60%7B%7C%7D"),
            ("...", "..."),
        ] {
            ask(&service, named).await.ok();
            let path = tracker.calls().last().unwrap().path.clone();
            assert_eq!(path, format!("{before}{written}{after}"), "{named}");
        }
        let calls = tracker.calls().len();
        for named in ["a b", "a\r\nhost: evil.test", "a\u{0}b", "a\u{7f}", "\u{e9}"] {
            assert_eq!(ask(&service, named).await.refusal(), (400, "invalid_request"), "{named:?}");
        }
        if before == "/api/" {
            for named in ["..", ".", "../x", "x/../y", "%2e%2e", "..%2fx", "..\\x"] {
                let refused = ask(&service, named).await;
                assert_eq!(refused.refusal(), (400, "invalid_request"), "{named}");
                assert_eq!(refused.body["errors"][0]["field"], "incident");
            }
        }
        assert_eq!(tracker.calls().len(), calls, "none of them was asked for");
    }
}

#[tokio::test]
async fn headers_and_the_credential_of_now_are_sent() {
    let tracker = open();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tracker.secret");
    fs::write(&file, "Bearer first\n").unwrap();
    let more = format!(
        "authorization_file = \"{}\"\nheaders = {{ Accept = \"application/vnd.x+json\", X-Version = \"2\" }}",
        file.display()
    );
    let text = checking(&directory, &tracker, &more);
    let service = Service::start_with(directory, &text, START).await;
    ask(&service, "INC-1").await.ok();
    fs::write(&file, "Basic c2Vjb25k").unwrap();
    ask(&service, "INC-1").await.ok();
    let calls = tracker.calls();
    let of = |name: &str| calls.iter().map(|call| call.header(name).to_owned()).collect::<Vec<_>>();
    assert_eq!(of("authorization"), ["Bearer first", "Basic c2Vjb25k"]);
    assert_eq!(
        (of("accept"), of("x-version")),
        (vec!["application/vnd.x+json".to_owned(); 2], vec!["2".to_owned(); 2])
    );
    // Without a credential nothing is asked, and it is no answer.
    for wrong in ["", "Bearer a\nhost: evil.test", "Bearer \u{e9}"] {
        fs::write(&file, wrong).unwrap();
        assert_eq!(ask(&service, "INC-1").await.refusal(), (503, "incident_silent"), "{wrong:?}");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(ask(&service, "INC-1").await.refusal(), (503, "incident_silent"));
    assert_eq!(tracker.calls().len(), 2);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_silence() {
    let tracker = open();
    let directory = tempfile::tempdir().unwrap();
    // It speaks no TLS at all.
    let text = checking(&directory, &tracker, "").replace("url = \"http://", "url = \"https://");
    let service = Service::start_with(directory, &text, START).await;
    assert_eq!(ask(&service, "INC-1").await.refusal(), (503, "incident_silent"));
    let service = start(&tracker, "ca_file = \"/nonexistent\"").await;
    assert_eq!(ask(&service, "INC-1").await.refusal(), (503, "incident_silent"));
}
