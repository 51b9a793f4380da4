//! `breakglass approve`: what is approved is what was shown.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::process::{Ran, Server};
use crate::stand_in::{Call, REQUEST, Reply, StandIn, good, view};

/// The command at a terminal, at which this is typed.
fn at_a_terminal(url: &str, arguments: &[&str], typed: &str) -> Ran {
    // Python's `pty` is a terminal on any machine that the tests run on.
    let script =
        "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut command = Command::new("python3");
    command.args(["-c", script, env!("CARGO_BIN_EXE_breakglass")]).args(arguments);
    command.env("BREAKGLASS_URL", url).env("BREAKGLASS_API_TOKEN", "token-carol");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    // An end of the input would end the copying before the command has written.
    let ran = Ran::from(child.wait_with_output().unwrap());
    drop(stdin);
    ran
}

fn rules_digest(rules: &Value) -> String {
    let rules = breakglass_types::scope_rules::ScopeRules::from_canonical(rules.clone());
    rules.unwrap().digest().to_string()
}

fn digest(of: &str) -> String {
    of.repeat(64)
}

/// The request with this digest and reason.
fn shown(digest: &str, reason: &str, state: &str) -> Value {
    let mut view = view(state);
    view["digest"] = json!(digest);
    view["reason"] = json!(reason);
    view
}

/// A service on which the request is another one after it was shown.
fn changing(reason_word: &'static str) -> StandIn {
    StandIn::start(move |_, call: &Call| {
        if call.is("GET", &format!("/v1/requests/{REQUEST}")) {
            return Reply::Json(200, shown(&digest("a"), "harmless", "pending"));
        }
        if !call.is("POST", &format!("/v1/requests/{REQUEST}/approve")) {
            return good(call);
        }
        let sent: Value = serde_json::from_str(&call.body).unwrap();
        if sent == json!({ "digest": digest("b") }) {
            return Reply::Json(200, shown(&digest("b"), "another", "approved"));
        }
        Reply::Json(
            409,
            json!({ "type": format!("urn:breakglass:reason:{reason_word}"), "title": "t", "status": 409,
                "detail": "not what was shown", "reason": reason_word,
                "request": shown(&digest("b"), "another", "pending") }),
        )
    })
}

#[test]
fn a_request_that_is_another_one_is_shown_again_and_asked_about_again() {
    for word in ["request_changed", "digest_required"] {
        let service = changing(word);
        let ran = at_a_terminal(&service.url, &["approve", REQUEST], "y\ny\n");
        assert_eq!(ran.code, 0, "{ran:?}");
        let (first, second) = ran.stdout.split_once("not approved: not what was shown").unwrap();
        assert!(first.contains("harmless") && !first.contains("another"), "{ran:?}");
        assert!(second.contains("another") && second.contains("approve? [y/N]"), "{ran:?}");
        assert!(second.contains("approved; ends at"), "{ran:?}");
        // Who says yes once has not said yes to what came after.
        let service = changing(word);
        let ran = at_a_terminal(&service.url, &["approve", REQUEST], "y\nn\n");
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(service.calls().len(), 2, "{:?}", service.calls());
    }
}

#[test]
fn with_yes_a_request_that_is_another_one_is_a_refusal() {
    let service = changing("request_changed");
    let ran = service.run(&["approve", REQUEST, "--yes"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("(request_changed)") && !ran.stderr.contains("another"), "{ran:?}");
    let json = service.run(&["approve", REQUEST, "--yes", "--json"]).json();
    assert_eq!(json["request"]["reason"], "another", "what a program needs to decide again");
}

#[test]
fn with_a_digest_no_other_request_is_approved() {
    for more in [&["--yes"][..], &[]] {
        let service = changing("request_changed");
        let approve = |digest: &str| {
            let arguments = [&["approve", REQUEST, "--digest", digest][..], more].concat();
            if more.is_empty() {
                at_a_terminal(&service.url, &arguments, "y\ny\n")
            } else {
                service.run(&arguments)
            }
        };
        let ran = approve(&digest("c"));
        assert_eq!(ran.code, 2, "{ran:?}");
        let sent: Vec<String> = service.calls().into_iter().map(|call| call.body).collect();
        assert_eq!(sent, [String::new(), json!({ "digest": digest("c") }).to_string()]);
    }
}

/// What was approved has the digest of what was shown.
#[test]
fn an_approval_of_something_else_is_not_believed() {
    let service = StandIn::start(|_, call: &Call| match call.method.as_str() {
        "GET" => Reply::Json(200, shown(&digest("a"), "r", "pending")),
        _ => Reply::Json(200, shown(&digest("b"), "r", "approved")),
    });
    let ran = service.run(&["approve", REQUEST, "--yes"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("digest: expected `aaa"), "{ran:?}");
    assert_eq!(service.calls()[1].body, json!({ "digest": digest("a") }).to_string());
}

/// An older service writes no digest, and reads none.
#[test]
fn an_older_service_is_asked_as_before() {
    let service = StandIn::start(|_, call: &Call| good(call));
    service.run(&["approve", REQUEST, "--yes"]).done();
    assert_eq!(service.calls().last().unwrap().body, "{}");
}

#[test]
fn an_approver_reads_what_each_scope_opens() {
    let directory = tempfile::tempdir().unwrap();
    let rules = json!({ "methods": ["GET", "POST"], "paths": ["/v1/orders"], "v": 1 });
    let file = json!({ "audiences": ["prod"], "scopes": { "orders:read": rules.clone() } });
    std::fs::write(directory.path().join("scopes.json"), file.to_string()).unwrap();
    let text = format!(
        "definitions = [\"scopes.json\"]\n{}",
        breakglass_testing::service::config(&directory)
    );
    let server = Server::start_by(crate::process::breakglass(), directory, &text);
    // No proxy has said that it has these rules: that comes first.
    let id = server.pending();
    let unknown = server.run("alice", &["status", &id]).done();
    let first = "NOT KNOWN what orders:read opens: no proxy reports rules with its digest";
    assert_eq!(unknown.lines().next(), Some(first), "{unknown}");
    assert!(!unknown.contains("/v1/orders"), "{unknown}");
    for (process, digest) in [("1", rules_digest(&rules)), ("2", "0".repeat(64))] {
        let configuration = process.repeat(64);
        let report = json!({ "configuration": configuration, "audiences": ["prod"],
            "scopes": { "orders:read": digest } });
        let post = ureq::post(format!("{}/v1/proxies/configurations", server.url));
        post.header("authorization", "Bearer token-envoy").send_json(&report).unwrap();
        let poll = ureq::get(format!("{}/v1/revocations", server.url))
            .header("authorization", "Bearer token-envoy")
            .header("breakglass-process", process.repeat(32))
            .header("breakglass-config", configuration);
        assert_eq!(poll.call().unwrap().status(), 200);
    }
    let asked = server.run(
        "alice",
        &["request", "--scope", "orders:read", "--scope", "orders:write", "--reason", "r"],
    );
    let id = asked.stdout.trim().to_owned();
    let approved = server.run("carol", &["approve", &id, "--yes"]);
    let status = server.run("alice", &["status", &id]).done();
    for shown in [&asked.stderr, &approved.stderr, &status] {
        assert!(
            shown.contains(
                "orders:read (write): GET, POST on /v1/orders; 1 of 2 proxies define it otherwise"
            ),
            "{shown}"
        );
        assert!(
            shown.contains("orders:write: not known: the service has no definition of it"),
            "{shown}"
        );
    }
    assert_eq!(approved.code, 0, "{approved:?}");
    let found = server.run("alice", &["scopes", "--for", "POST /v1/orders?a=b"]);
    assert!(found.stderr.contains("orders:read (write): GET, POST on /v1/orders"), "{found:?}");
    assert!(found.done().starts_with("orders:read "));
    let none = server.run("alice", &["scopes", "--for", "PUT /v1/orders"]);
    assert!(
        none.stdout.is_empty() && none.stderr.contains("none covers such a request"),
        "{none:?}"
    );
    assert_eq!(server.run("alice", &["scopes", "--for", "/v1/orders"]).code, 3);
}

/// An older service lists every scope, whatever is asked.
#[test]
fn an_older_service_is_not_believed_to_have_found_scopes() {
    let service = StandIn::start(|_, call: &Call| match good(call) {
        Reply::Json(status, mut body) => {
            body.as_object_mut().unwrap().remove("for");
            Reply::Json(status, body)
        }
        other => other,
    });
    let ran = service.run(&["scopes", "--for", "POST /v1/orders"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("takes a newer service"), "{ran:?}");
}
