//! The verbs, from asking to revoking: what goes to stdout, what to stderr.

use std::io::Read;
use std::process::Stdio;

use crate::process::{Ran, Server, exit_code, until};

fn pending_id(server: &Server) -> String {
    let mut id = String::new();
    until(|| {
        let listed = server.run("carol", &["status", "--state", "pending", "--json"]).json();
        id = listed["requests"][0]["id"].as_str().unwrap_or_default().to_owned();
        !id.is_empty()
    });
    id
}

#[test]
fn request_wait_prints_the_token_alone_once_it_is_approved() {
    let server = Server::start();
    let waiting = server
        .command(
            "alice",
            &[
                "request",
                "--scope",
                "orders:read",
                "--scope",
                "orders:write",
                "--reason",
                "orders are stuck",
                "--incident",
                "INC-7",
                "--duration",
                "10m",
                "--emergency",
                "--wait",
            ],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = pending_id(&server);

    let approved = server.run("carol", &["approve", &id, "--yes"]);
    assert_eq!(approved.code, 0, "{approved:?}");
    for shown in
        ["alice", "orders:read, orders:write", "10m", "orders are stuck", "INC-7", "emergency"]
    {
        assert!(approved.stderr.contains(shown), "{shown} is not in {}", approved.stderr);
    }
    assert!(approved.stdout.starts_with("grant_"), "{approved:?}");

    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let token = ran.stdout.strip_suffix('\n').unwrap();
    assert_eq!(token.split('.').count(), 3, "{ran:?}");
    assert!(!token.contains(char::is_whitespace), "{ran:?}");
    assert!(ran.stderr.contains(&id) && ran.stderr.contains("bob, carol, frank"), "{ran:?}");
    assert!(!ran.stderr.contains(token), "{ran:?}");
    assert!(!server.log().contains(token));
}

#[test]
fn request_prints_the_id_and_token_prints_the_token() {
    let server = Server::start();
    let id = server.pending();
    assert!(id.starts_with("req_"), "{id}");
    let early = server.run("alice", &["token", &id]);
    assert_eq!((early.code, early.stdout.as_str()), (2, ""), "{early:?}");
    assert!(early.stderr.contains("(not_approved)"), "{early:?}");
    server.run("carol", &["approve", &id, "--yes"]).done();
    let token = server.run("alice", &["token", &id]);
    assert_eq!(token.stderr, "");
    assert_eq!(token.done().trim().split('.').count(), 3);
}

#[test]
fn request_wait_ends_with_2_when_denied() {
    let server = Server::start();
    let mut waiting = server
        .command("alice", &["request", "--scope", "orders:read", "--reason", "r", "--wait"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = pending_id(&server);
    let denied = server.run("carol", &["deny", &id, "--reason", "use the runbook"]);
    assert_eq!(denied.done(), "denied\n");
    assert_eq!(exit_code(&mut waiting), Some(2));
    let mut stdout = String::new();
    waiting.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(stdout, "");
    let mut stderr = String::new();
    waiting.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains("use the runbook"), "{stderr}");
}

#[test]
fn request_wait_ends_with_1_when_nobody_decides() {
    let server = Server::start();
    let ran = server.run(
        "alice",
        &["request", "--scope", "orders:read", "--reason", "r", "--wait", "--timeout", "1s"],
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("breakglass token req_"), "{ran:?}");
}

#[test]
fn cancel_takes_it_back() {
    let server = Server::start();
    let id = server.pending();
    assert_eq!(server.run("alice", &["cancel", &id]).done(), "cancelled\n");
    assert_eq!(server.run("carol", &["approve", &id, "--yes"]).code, 2);
}

#[test]
fn revoke_takes_the_grant_or_its_request() {
    let server = Server::start();
    let id = server.pending();
    let none = server.run("alice", &["revoke", &id, "--reason", "done"]);
    assert_eq!(none.code, 3, "{none:?}");
    let grant = server.run("carol", &["approve", &id, "--yes"]).done();
    let ran = server.run("alice", &["revoke", grant.trim(), "--reason", "done"]);
    assert_eq!(ran.done(), "revoked\n");
    assert_eq!(server.run("alice", &["token", &id]).code, 2);

    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    assert_eq!(server.run("carol", &["revoke", &id, "--reason", "done"]).done(), "revoked\n");
    let status = server.run("alice", &["status", &id]);
    assert!(status.done().contains("state     revoked"));
}

#[test]
fn status_lists_and_shows() {
    let server = Server::start();
    let none = server.run("alice", &["status"]);
    assert_eq!((none.code, none.stdout.as_str(), none.stderr.as_str()), (0, "", "no requests\n"));
    let first = server.pending();
    let second = server.pending();
    let listed = server.run("alice", &["status"]).done();
    let ids: Vec<&str> = listed.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()]);
    let shown = server.run("carol", &["status", &first]).done();
    assert!(shown.contains("orders are stuck") && shown.contains("bob, carol, frank"), "{shown}");
}

#[test]
fn with_json_stdout_is_one_json_value() {
    let server = Server::start();
    let json = |who: &str, arguments: &[&str]| {
        let ran = server.run(who, &[arguments, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    };
    assert_eq!(json("alice", &["status"])["requests"], serde_json::json!([]));
    let request = ["request", "--scope", "orders:read", "--reason", "r"];
    let view = json("alice", &request);
    let id = view["id"].as_str().unwrap();
    assert_eq!(json("carol", &["approve", id, "--yes"])["state"], "approved");
    let issued = json("alice", &["token", id]);
    assert_eq!(issued["token"].as_str().unwrap().split('.').count(), 3);
    let grant = issued["grant"].as_str().unwrap();
    assert_eq!(json("alice", &["revoke", grant, "--reason", "r"])["epoch"], 1);
    assert_eq!(json("alice", &["status", id])["state"], "revoked");
    let view = json("alice", &request);
    let id = view["id"].as_str().unwrap();
    assert_eq!(json("carol", &["deny", id, "--reason", "r"])["state"], "denied");
    let view = json("alice", &request);
    let id = view["id"].as_str().unwrap();
    assert_eq!(json("alice", &["cancel", id])["state"], "cancelled");
    assert_eq!(json("alice", &["keygen", "api-token"])["token_sha256"].as_str().unwrap().len(), 64);
}
