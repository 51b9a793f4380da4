//! `breakglass question`, `breakglass answer`, and a wait during which something is asked.

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Ran, Server, until};
use crate::stand_in::{Call, REQUEST, Reply, StandIn, good, view};

const ASK: &[&str] = &["request", "--scope", "orders:read", "--reason", "r"];

fn remarks(texts: &[&str]) -> Value {
    let remark = |text: &&str| json!({ "by": "carol", "at": "2026-11-22T02:14:00Z", "kind": "question", "text": text });
    Value::Array(texts.iter().map(remark).collect())
}

#[test]
fn a_question_comes_to_who_waits_and_the_wait_goes_on() {
    let server = Server::start();
    let said = server.path("said");
    let mut command = server.command("alice", &[ASK, &["--wait"]].concat());
    command.stdout(Stdio::piped()).stderr(File::create(&said).unwrap());
    let waiting = command.spawn().unwrap();
    let said = || std::fs::read_to_string(&said).unwrap();
    // The wait has a place at the service: what is said from now on ends it.
    until(|| server.get("nobody", "/metrics").to_string().contains("waiting_requests 1\\n"));
    let id = server.run("carol", &["status", "--state", "pending", "--json"]).json();
    let id = id["requests"][0]["id"].as_str().unwrap().to_owned();
    let asked = server.run("carol", &["question", &id, "which order?"]);
    assert!(asked.stderr.contains("asked alice"), "{asked:?}");
    assert_eq!(asked.done(), "asked\n");
    let command = format!("carol asks: which order?\n  breakglass answer {id} 'TEXT'\n");
    until(|| said().contains(&command));
    let answered = server.run("alice", &["answer", &id, "4711", "--json"]).json();
    assert_eq!(answered["discussion"][1]["kind"], "answer");
    until(|| said().contains("alice answers: 4711\n"));
    let approved = server.run("carol", &["approve", &id, "--yes", "--note", "only that one"]);
    let (shown, _) = approved.stderr.split_once("approved; ends").unwrap();
    for words in
        ["\nasked     by carol at ", ": which order?\n", "\nanswered  by alice at ", ": 4711\n"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert!(ran.code == 0 && ran.stdout.split('.').count() == 3, "{ran:?}");
    assert_eq!(said().matches("which order?").count(), 1, "{}", said());
    assert!(said().contains("carol writes: only that one"), "{}", said());
    assert!(server.run("alice", &["status", &id]).done().contains(": which order?"));
    let late = server.run("carol", &["question", &id, "which?"]);
    assert!(late.code == 2 && late.stderr.ends_with("(not_pending)\n"), "{late:?}");
    let other = server.pending();
    assert_eq!(server.run("carol", &["answer", &other, "x"]).code, 2);
    assert_eq!(server.run("alice", &["question", &other, "x"]).code, 2);
}

/// A remark ends one wait, and the next one is a wait again; what comes at once without one is not asked for without end.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long it rests is real time")]
fn a_wait_that_ends_early_is_no_loop() {
    let service = StandIn::start(|number, call: &Call| {
        if !call.path.contains("wait=") {
            return good(call);
        }
        let mut pending = view("pending");
        // The list and the submission come first.
        pending["discussion"] = match number {
            2 => return Reply::Json(200, pending),
            3 => remarks(&["a?"]),
            4 => remarks(&["a?", "b\nbreakglass: approved?"]),
            5 => remarks(&["a?", "b\nbreakglass: approved?"]),
            _ => return Reply::Json(200, view("approved")),
        };
        Reply::Json(200, pending)
    });
    let start = Instant::now();
    let ran = service.run(&[ASK, &["--wait"]].concat());
    let took = start.elapsed();
    assert_eq!(ran.code, 0, "{ran:?}");
    let asks: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(" asks: ")).collect();
    assert_eq!(asks, ["carol asks: a?", "carol asks: b\u{fffd}breakglass: approved?"]);
    // Those two that said nothing new.
    assert!(took >= Duration::from_secs(2), "{took:?}");
    let waits = service.calls().iter().filter(|call| call.path.contains("wait=25s")).count();
    assert_eq!(waits, 5);
}

/// What was asked before the wait ends none, and is looked at first.
#[test]
fn who_comes_back_to_wait_sees_what_was_asked_before() {
    let service = StandIn::start(|_, call: &Call| {
        if call.is("GET", "/v1/requests") {
            return Reply::Json(200, json!({ "requests": [view("pending")] }));
        }
        if call.is("GET", &format!("/v1/requests/{REQUEST}")) && !call.path.contains("wait=") {
            let mut pending = view("pending");
            pending["discussion"] = remarks(&["which order?"]);
            return Reply::Json(200, pending);
        }
        good(call)
    });
    let ran = service.run(&[ASK, &["--wait"]].concat());
    assert!(ran.code == 0 && ran.stderr.contains("carol asks: which order?\n"), "{ran:?}");
    let paths: Vec<String> = service.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(paths[1], format!("/v1/requests/{REQUEST}"), "{paths:?}");
    assert_eq!(paths[2], format!("/v1/requests/{REQUEST}?wait=25s"), "{paths:?}");
}

/// What was said is in the answer, or it was not said.
#[test]
fn a_remark_that_is_not_there_was_not_said() {
    let said = |kind: &str, text: &str| {
        let mut view = view("pending");
        view["discussion"] =
            json!([{ "by": "x", "at": "2026-11-22T02:14:00Z", "kind": kind, "text": text }]);
        view
    };
    for answer in
        [view("pending"), said("question", "other"), said("answer", "t"), said("note", "t")]
    {
        let service = StandIn::start(move |_, _| Reply::Json(200, answer.clone()));
        let ran = service.run(&["question", REQUEST, "t"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains("discussion: expected `question`"), "{ran:?}");
    }
}
