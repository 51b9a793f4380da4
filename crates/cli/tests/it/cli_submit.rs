//! A request is submitted once: duplicates, lost answers, and what a person is told who stops waiting.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::process::{Ran, Server, until};
use crate::stand_in::{REQUEST, Reply, StandIn, good, problem, view};

const ASK: &[&str] = &["request", "--scope", "orders:read", "--reason", "r"];

fn listed(server: &Server) -> usize {
    let json = server.run("alice", &["status", "--json"]).json();
    json["requests"].as_array().unwrap().len()
}

#[test]
fn the_same_request_is_not_submitted_again_while_it_is_pending() {
    let server = Server::start();
    let ask = [
        "request",
        "--scope",
        "orders:read",
        "--scope",
        "orders:write",
        "--reason",
        "stuck",
        "--duration",
        "10m",
    ];
    let first = server.run("alice", &ask).done();
    // In another order, and in another spelling of the same duration.
    let same = [
        "request",
        "--scope",
        "orders:write",
        "--scope",
        "orders:read",
        "--reason",
        "stuck",
        "--duration",
        "600s",
    ];
    for arguments in [&ask[..], &same] {
        let ran = server.run("alice", arguments);
        for words in
            ["you already asked for this", "--again", " s ago)", first.trim(), "bob, carol, frank"]
        {
            assert!(ran.stderr.contains(words), "{words}: {ran:?}");
        }
        assert_eq!(ran.done(), first);
    }
    let json = server.run("alice", &[&ask[..], &["--json"]].concat()).json();
    assert_eq!(json["id"], first.trim());
    assert_eq!(listed(&server), 1);

    let again = server.run("alice", &[&ask[..], &["--again"]].concat());
    assert!(!again.stderr.contains("already"), "{again:?}");
    assert_ne!(again.done(), first);
    assert_eq!(listed(&server), 2);
    // Of another person's nothing is known here.
    let other = server.run("bob", &ask).done();
    assert_ne!(other, first);
}

/// Whatever an approver would see differently makes it another request; the earlier one is named.
#[test]
fn a_request_that_differs_is_submitted_and_the_earlier_one_named() {
    let server = Server::start();
    let first = server.run("alice", ASK).done();
    for (more, differs) in [
        (vec!["--incident", "INC-7"], "incident"),
        (vec!["--duration", "10m"], "duration"),
        (vec!["--emergency"], "emergency"),
    ] {
        let ran = server.run("alice", &[ASK, &more].concat());
        let words = format!("with another {differs}");
        assert!(
            ran.stderr.contains(&words) && ran.stderr.contains(first.trim()),
            "{more:?}: {ran:?}"
        );
        assert_ne!(ran.done(), first, "{more:?}");
    }
    let other = ["request", "--scope", "orders:read", "--reason", "r2"];
    assert!(server.run("alice", &other).stderr.contains("with another reason"));
    let scope = ["request", "--scope", "orders:write", "--reason", "r"];
    assert!(!server.run("alice", &scope).stderr.contains("already"));
    // What was decided is no duplicate.
    server.run("carol", &["deny", first.trim(), "--reason", "no"]).done();
    let ran = server.run("alice", ASK);
    assert!(!ran.stderr.contains("you already asked"), "{ran:?}");
    assert_ne!(ran.done(), first);
}

#[test]
fn with_wait_the_earlier_request_is_waited_for() {
    let server = Server::start();
    let id = server.run("alice", ASK).done();
    let mut command = server.command("alice", &[ASK, &["--wait"]].concat());
    let said = server.path("said");
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(&said).unwrap());
    let waiting = command.spawn().unwrap();
    let said = || std::fs::read_to_string(&said).unwrap();
    until(|| said().contains("waiting for the decision"));
    server.run("carol", &["approve", id.trim(), "--yes"]).done();
    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert!(ran.code == 0 && ran.stdout.split('.').count() == 3, "{ran:?}");
    assert!(said().contains("you already asked for this"), "{}", said());
}

/// What lapses before an approver can read it is no reason not to ask.
#[test]
fn a_request_that_is_about_to_lapse_is_not_waited_for() {
    for (lapses, calls) in [("2020-11-22T02:23:00Z", 2), ("2096-11-22T02:23:00Z", 1)] {
        let mut earlier = view("pending");
        earlier["lapses_at"] = json!(lapses);
        let server = StandIn::start(move |_, call| match call.method.as_str() {
            "GET" => Reply::Json(200, json!({ "requests": [earlier.clone()] })),
            _ => good(call),
        });
        let ran = server.run(ASK);
        assert_eq!((ran.code, server.calls().len()), (0, calls), "{ran:?}");
        assert_eq!(ran.stderr.contains("which lapses at 2020-"), calls == 2, "{ran:?}");
    }
}

/// Each attempt of one submission has the same key, and each submission another one.
#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let lost = [
        Reply::Bytes(Vec::new()),
        Reply::Bytes(b"HTTP/1.1 201 X\r\ncontent-length: 900\r\n\r\n{".to_vec()),
        Reply::Text(502, "content-type: text/html\r\n", "<html>".to_owned()),
        problem(503, "storage_busy"),
    ];
    let mut keys = Vec::new();
    for lost in lost {
        let server = StandIn::start(move |number, call| match number {
            1 => lost.clone(),
            _ => good(call),
        });
        let ran = server.run(ASK);
        assert!(ran.stderr.contains("trying again"), "{ran:?}");
        assert_eq!(ran.done().trim(), REQUEST);
        let posts: Vec<_> =
            server.calls().into_iter().filter(|call| call.method == "POST").collect();
        let own: Vec<_> =
            posts.iter().map(|call| call.header("idempotency-key").unwrap()).collect();
        assert_eq!((own.len(), own[0]), (2, own[1]));
        let key = own[0].strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        assert!(key.len() >= 26 && key.bytes().all(is_plain), "{key}");
        assert_eq!(posts[0].body, posts[1].body);
        keys.push(own[0].to_owned());
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

/// A service that does not know the key would take a second one: whether the first arrived is looked up.
#[test]
fn a_request_that_arrived_is_found_although_its_answer_was_lost() {
    let server = StandIn::start(|number, call| match number {
        1 => Reply::Bytes(Vec::new()),
        2 => Reply::Json(200, json!({ "requests": [view("pending")] })),
        _ => good(call),
    });
    let ran = server.run(&[ASK, &["--again"]].concat());
    assert_eq!(ran.stdout.trim(), REQUEST, "{ran:?}");
    assert_eq!(server.calls().iter().filter(|call| call.method == "POST").count(), 1);
    // One that was there before is not taken for it.
    let server = StandIn::start(|number, call| match (number, call.method.as_str()) {
        (1, _) => Reply::Bytes(Vec::new()),
        (_, "GET") => Reply::Json(200, json!({ "requests": [view("pending")] })),
        _ => good(call),
    });
    server.run(&[ASK, &["--again"]].concat()).done();
    assert_eq!(server.calls().iter().filter(|call| call.method == "POST").count(), 2);
}

/// To ask matters more than to know what was asked before.
#[test]
fn a_list_that_cannot_be_had_keeps_no_request_from_being_submitted() {
    for reply in
        [problem(400, "invalid_request"), problem(503, "storage_busy"), Reply::Bytes(Vec::new())]
    {
        let server = StandIn::start(
            move |number, call| if number == 0 { reply.clone() } else { good(call) },
        );
        assert_eq!(server.run(ASK).done().trim(), REQUEST);
    }
}

/// What is refused is not asked again, and neither is another server.
#[test]
fn a_refusal_is_final() {
    for (reply, code) in [
        (problem(403, "not_a_requester"), 2),
        (problem(400, "scope_unknown"), 3),
        (problem(429, "too_many_pending"), 1),
    ] {
        let server = StandIn::start(move |_, call| match call.method.as_str() {
            "POST" => reply.clone(),
            _ => good(call),
        });
        assert_eq!(server.run(ASK).code, code);
        assert_eq!(server.calls().len(), 2);
    }
}

fn signalled(server: &StandIn, signal: &str, until_path: &str) -> Ran {
    let child = server.command(&[ASK, &["--wait"]].concat()).spawn().unwrap();
    until(|| server.calls().iter().any(|call| call.path.contains(until_path)));
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap();
    assert!(sent.success());
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn ctrl_c_says_that_the_request_is_still_pending() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let server = StandIn::start(|_, call| match call.path.contains("wait=") {
            true => Reply::Slow,
            false => good(call),
        });
        let ran = signalled(&server, signal, "wait=");
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{signal}: {ran:?}");
        for words in [
            format!("{REQUEST} is still pending"),
            format!("`breakglass cancel {REQUEST}`"),
            format!("`breakglass token {REQUEST}`"),
        ] {
            assert!(ran.stderr.contains(&words), "{words}: {ran:?}");
        }
    }
    // Before the answer has come, it is not known.
    let server = StandIn::start(|_, call| match call.method.as_str() {
        "POST" => Reply::Slow,
        _ => good(call),
    });
    let calls = server.calls().len();
    let ran = signalled(&server, "INT", "/v1/requests");
    assert_eq!((ran.code, calls), (130, 0), "{ran:?}");
    assert!(ran.stderr.contains("not known whether the request was submitted"), "{ran:?}");
}

#[test]
fn when_the_time_is_over_the_request_is_named() {
    let server = StandIn::start(|_, call| match call.path.contains(REQUEST) {
        true => Reply::Json(200, view("pending")),
        false => good(call),
    });
    let ran = server.run(&[ASK, &["--wait", "--timeout", "1s"]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(
        ran.stderr.contains("is still pending") && ran.stderr.contains("breakglass cancel req_"),
        "{ran:?}"
    );
    let ran = server.run(&[ASK, &["--wait", "--timeout", "1s", "--json"]].concat());
    let json: Value = ran.json();
    assert_eq!((&json["reason"], &json["request"]), (&json!("no_decision"), &json!(REQUEST)));
}

/// What became of the request decides the exit code: without a decision it is a failure, and asking again may help.
#[test]
fn each_end_of_a_request_has_its_exit_code() {
    for (state, code) in [
        ("approved", 0),
        ("denied", 2),
        ("cancelled", 2),
        ("revoked", 2),
        ("expired", 2),
        ("lapsed", 1),
    ] {
        let server = StandIn::start(move |_, call| match call.path.contains("wait=") {
            true => Reply::Json(200, view(state)),
            false => good(call),
        });
        let ran = server.run(&[ASK, &["--wait"]].concat());
        assert_eq!((ran.code, ran.stdout.is_empty()), (code, code != 0), "{state}: {ran:?}");
        let shown = format!("state     {state}\n");
        assert_eq!(ran.stderr.contains(&shown), code != 0, "{state}: {ran:?}");
        let ran = server.run(&[ASK, &["--wait", "--json"]].concat());
        assert_eq!(ran.code, code, "{state}: {ran:?}");
        assert!(ran.json().is_object(), "{state}");
    }
}

/// Whatever ends the wait, the request is named.
#[test]
fn a_wait_that_fails_names_the_request() {
    let server = StandIn::start(|_, call| match call.path.contains("wait=") {
        true => Reply::Json(200, json!({})),
        false => good(call),
    });
    let ran = server.run(&[ASK, &["--wait"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains(&format!("{REQUEST} was submitted, and may still be pending")),
        "{ran:?}"
    );
    // A state of a newer service is neither yes nor no.
    let server = StandIn::start(|_, call| match call.path.contains("wait=") {
        true => {
            let mut held = view("pending");
            held["state"] = json!("held");
            Reply::Json(200, held)
        }
        false => good(call),
    });
    let ran = server.run(&[ASK, &["--wait"]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("`held`, a state that this command line does not know"), "{ran:?}");
}

/// How many approvers were told is one line on stderr, without colours where that is no terminal; `--json` has it on stdout.
#[test]
fn it_is_said_how_many_approvers_were_told() {
    let channel = |sink: &str, state: &str| json!({ "sink": sink, "state": state });
    let told = |members: &str, [known, reached, waiting]: [i64; 3], channels: Vec<Value>| {
        json!({
            "members": members, "known": known, "reached": reached, "waiting": waiting, "channels": channels,
        })
    };
    let by_hand = format!("give an approver this command yourself: breakglass approve {REQUEST}");
    for (told, line) in [
        (
            told(
                "complete",
                [4, 3, 0],
                vec![channel("oncall", "delivered"), channel("leads", "delivered")],
            ),
            "Told: 3 of 4 approvers (by oncall, leads).".to_owned(),
        ),
        (
            told("unknown", [0, 0, 0], vec![channel("oncall", "delivered")]),
            "Told: members unknown; oncall took it.".to_owned(),
        ),
        (told("complete", [2, 0, 0], vec![]), format!("No approver was reached: {by_hand}")),
        (
            told("complete", [2, 0, 2], vec![channel("oncall", "waiting")]),
            format!("No approver was reached (the service still tries): {by_hand}"),
        ),
        // Words of a newer service.
        (
            told("guessed", [2, 1, 0], vec![channel("on\u{1b}[2Jcall", "delivered")]),
            "Told: 1 of 2 known approvers (by on\u{fffd}[2Jcall).".to_owned(),
        ),
    ] {
        let said = told.clone();
        let service = StandIn::start(move |_, call| match good(call) {
            Reply::Json(201, mut view) => {
                view["told"] = said.clone();
                Reply::Json(201, view)
            }
            other => other,
        });
        let ran = service.run(ASK);
        assert!(ran.stderr.lines().any(|one| one == line), "{line}: {ran:?}");
        assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
        assert_eq!(service.run(&[ASK, &["--json"]].concat()).json()["told"], told);
    }
    // A service of before says nothing of it.
    let ran = StandIn::start(|_, call| good(call)).run(ASK);
    assert!(!ran.stderr.contains("Told") && !ran.stderr.contains("reached"), "{ran:?}");
}
