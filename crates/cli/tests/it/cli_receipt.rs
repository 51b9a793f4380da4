//! `breakglass revoke` and what it may say: it tries until it is answered, believes only the service, and counts
//! processes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Ran, Server, breakglass, until};
use breakglass_testing::service::token_of;

/// Answers each call with the next of these, and from then on with the last: status, content type, body. Status 0
/// closes the connection.
fn stand_in(answers: Vec<(u16, &'static str, String)>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answers = Mutex::new(answers);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && connection.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
            connection.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let mut answers = answers.lock().unwrap();
            let (status, kind, body) =
                if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
            drop(answers);
            if status == 0 {
                continue;
            }
            let _ = write!(
                connection,
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (url, calls)
}

fn problem(status: u16, reason: &str) -> (u16, &'static str, String) {
    let body = json!({ "status": status, "reason": reason, "detail": "in words" });
    (status, "application/problem+json", body.to_string())
}

fn ok(body: &Value) -> (u16, &'static str, String) {
    (200, "application/json", body.to_string())
}

/// Nothing listens there, and the system gives this port to no socket that asks for any.
const NOWHERE: &str = "http://127.0.0.1:1";

fn run(url: &str, arguments: &[&str]) -> (Ran, Duration) {
    let mut command = breakglass();
    command.args(arguments).env("BREAKGLASS_URL", url).env("BREAKGLASS_API_TOKEN", "t");
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let start = Instant::now();
    let ran = Ran::from(command.output().unwrap());
    (ran, start.elapsed())
}

const ONE: [&str; 6] = ["revoke", "grant_1", "--reason", "r", "--timeout", "5s"];
const ALL: [&str; 6] = ["revoke", "--all", "--reason", "r", "--timeout", "5s"];

fn revoked() -> Value {
    json!({
        "grant": "grant_1", "epoch": 1, "expires_at": "2026-11-22T02:43:00Z",
        "revoked": { "by": "carol", "at": "2026-11-22T02:13:00Z", "reason": "r" },
    })
}

#[test]
fn a_revocation_is_tried_until_it_is_answered() {
    let trouble = || {
        vec![
            problem(503, "storage_busy"),
            (0, "", String::new()),
            (502, "text/html", "<html>bad gateway</html>".to_owned()),
        ]
    };
    let mut answers = trouble();
    answers.push(ok(&revoked()));
    let (url, calls) = stand_in(answers);
    let (ran, _) = run(&url, &ONE);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "revoked\n"), "{ran:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    assert_eq!(ran.stderr.matches("trying again").count(), 3, "{ran:?}");

    let mut answers = vec![problem(429, "too_many"), problem(500, "internal_error")];
    answers.push(ok(&json!({ "revoked": 2, "grants": ["g1", "g2"], "epoch": 7, "not_yours": 0 })));
    let (url, _) = stand_in(answers);
    let (ran, _) = run(&url, &ALL);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "revoked 2\n"), "{ran:?}");
    assert!(ran.stderr.contains("an earlier attempt may have revoked others"), "{ran:?}");
}

#[test]
fn without_an_answer_it_ends_with_1_and_says_that_nothing_is_known() {
    for answer in [problem(503, "storage_full"), (0, "", String::new())] {
        let (url, calls) = stand_in(vec![answer]);
        for mut arguments in [ONE, ALL] {
            arguments[5] = "4s";
            let before = calls.load(Ordering::SeqCst);
            let (ran, took) = run(&url, &arguments);
            assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
            assert!(ran.stderr.contains("it is not known whether anything was revoked"), "{ran:?}");
            // How often depends on how busy the machine is.
            assert!(calls.load(Ordering::SeqCst) >= before + 2, "{ran:?}");
            assert!(took < Duration::from_secs(60), "{took:?}");
        }
    }
    let (ran, _) = run(NOWHERE, &["done", "grant_1", "--timeout", "4s"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("trying again"), "{ran:?}");
}

#[test]
fn a_refusal_is_final_at_once() {
    for (status, code) in [(403, 2), (404, 3), (409, 2), (400, 3)] {
        let (url, calls) = stand_in(vec![problem(status, "some_reason")]);
        assert_eq!(run(&url, &ONE).0.code, code, "{status}");
        assert_eq!(run(&url, &ALL).0.code, code, "{status}");
        assert_eq!(calls.load(Ordering::SeqCst), 2, "{status}");
    }
}

#[test]
fn what_is_no_answer_of_the_service_is_never_a_revocation() {
    let mut other = revoked();
    other["grant"] = json!("grant_2");
    let mut zero = revoked();
    zero["epoch"] = json!(0);
    for answer in [
        json!({}),
        json!([]),
        json!({ "revoked": 0 }),
        json!({ "revoked": 1, "grants": [], "epoch": 1, "not_yours": 0 }),
        json!({ "grant": "grant_1", "epoch": 1 }),
        json!({ "epoch": 1, "since": null, "complete": true, "proxies": [] }),
        other,
        zero,
    ] {
        let (url, _) = stand_in(vec![ok(&answer)]);
        for arguments in [
            &ONE[..],
            &ALL[..],
            &["done", "grant_1"],
            &["proxies"],
            &["proxies", "forget", "grant_1", "--reason", "r"],
        ] {
            let is_list = arguments == ["proxies"] && answer.get("proxies").is_some();
            let (ran, _) = run(&url, arguments);
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (i32::from(!is_list), ""),
                "{answer}: {ran:?}"
            );
        }
    }
    for (status, kind, body) in [
        (200, "text/html", "<html>sign in</html>"),
        (200, "application/json", "not JSON"),
        (302, "text/html", ""),
        (204, "application/json", ""),
    ] {
        let (url, _) = stand_in(vec![(status, kind, body.to_owned())]);
        for arguments in [&ONE[..], &ALL[..]] {
            let (ran, _) = run(&url, arguments);
            assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{status} {body}: {ran:?}");
        }
    }
}

/// One poll of a process, which believes what it knows for a second.
fn poll(url: &str, process: &str, after: i64, on_unavailable: &str) -> Value {
    let url = format!("{url}/v1/revocations?after={after}&node=shipped");
    let request = ureq::get(url)
        .header("authorization", format!("Bearer {}", token_of("envoy")))
        .header("breakglass-process", process.repeat(32))
        .header("breakglass-max-staleness", "1s")
        .header("breakglass-cache", "0ms")
        .header("breakglass-clock-skew", "5s")
        .header("breakglass-on-unavailable", on_unavailable);
    request.call().unwrap().body_mut().read_json().unwrap()
}

fn grant(server: &Server) -> String {
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done().trim().to_owned()
}

fn listed(server: &Server, process: &str) -> Value {
    let all = server.run("erin", &["proxies", "--json"]).json();
    let is_it = |proxy: &&Value| proxy["id"] == process.repeat(32);
    all["proxies"].as_array().unwrap().iter().find(is_it).cloned().unwrap_or_default()
}

#[test]
fn a_proxy_that_is_gone_is_9_and_one_that_is_behind_is_1() {
    let server = Server::start();
    let grant = grant(&server);
    for process in ["1", "2", "3"] {
        poll(&server.url, process, 0, "deny");
    }
    until(|| listed(&server, "3")["refuses_new_since"].is_string());
    let revoke = |timeout: &str| {
        for process in ["1", "2"] {
            poll(&server.url, process, 1, "deny");
        }
        let arguments = ["revoke", &grant, "--reason", "r", "--wait", "--timeout", timeout];
        server.run("carol", &arguments)
    };
    server.run("carol", &["revoke", &grant, "--reason", "r"]).done();
    let ran = revoke("1s");
    assert_eq!((ran.code, ran.stdout.as_str()), (9, "revoked\n"), "{ran:?}");
    let last = ran.stderr.lines().last().unwrap();
    let words = "2 of 3 at epoch 1, 1 gone or cut off: refuses new requests since 2";
    assert!(last.starts_with(words) && last.contains(", streams may run until 2"), "{ran:?}");
    let forget = format!("breakglass proxies forget {} --reason WHY", "3".repeat(32));
    assert!(ran.stderr.contains(&forget), "{ran:?}");

    // A grant that was approved later cannot run there.
    let later = self::grant(&server);
    server.run("carol", &["revoke", &later, "--reason", "r"]).done();
    for process in ["1", "2"] {
        poll(&server.url, process, 2, "deny");
    }
    let arguments = ["revoke", &later, "--reason", "r", "--wait", "--timeout", "1s"];
    let ran = server.run("carol", &arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("it refused new requests before the grants were approved"));

    // One that may let requests pass is no better than one that lives.
    poll(&server.url, "4", 0, "allow");
    until(|| listed(&server, "4")["alive"] == false);
    let ran = revoke("1s");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("on_unavailable: allow"), "{ran:?}");

    for process in ["3", "4"] {
        let id = process.repeat(32);
        let arguments = ["proxies", "forget", &id, "--reason", "the pod is gone"];
        assert_eq!(server.run("alice", &arguments).code, 2);
        assert_eq!(server.run("carol", &arguments).done(), "forgotten\n");
        assert_eq!(server.run("carol", &arguments).code, 3);
    }
    let ran = revoke("1s");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.ends_with("2 of 2 at epoch 1\n"), "{ran:?}");
    poll(&server.url, "3", 0, "deny");
    assert!(server.log().contains("a proxy that was said to be gone is back"));
}
