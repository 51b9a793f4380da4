//! `breakglass extend`: a request that goes on with a grant that one holds.

use serde_json::{Value, json};

use crate::process::{Ran, Server, until};
use crate::stand_in::{Call, PARENT, Reply, StandIn, good};

/// A request for two scopes of which one is granted, for ten minutes.
fn narrowed(server: &Server) -> String {
    let ask = ["request", "--scope", "orders:read", "--scope", "orders:write", "--reason"];
    let ask = [&ask[..], &["orders are stuck", "--incident", "INC-7"]].concat();
    let id = server.run("alice", &ask).done().trim().to_owned();
    let narrow = ["approve", &id, "--yes", "--scope", "orders:read", "--duration", "10m"];
    server.run("carol", &narrow).done();
    id
}

#[test]
fn an_extension_asks_for_what_was_granted_and_names_what_it_goes_on_with() {
    let server = Server::start();
    let parent = narrowed(&server);
    server.run("alice", &["token", &parent]).done();
    let asked = server.run("alice", &["extend", &parent, "--reason", "still at it"]);
    assert!(asked.stderr.contains(&format!(", which goes on with {parent}; lapses")), "{asked:?}");
    let id = asked.done().trim().to_owned();
    let shown = server.run("carol", &["status", &id, "--json"]).json();
    assert_eq!(
        (&shown["scopes"], &shown["duration"], &shown["incident"], &shown["extends"]["id"]),
        (&json!(["orders:read"]), &json!("10m"), &json!("INC-7"), &json!(parent)),
    );
    // The approver reads what it goes on with before the question.
    let approved = server.run("carol", &["approve", &id, "--yes"]);
    let (before, _) = approved.stderr.split_once("approved; ends").unwrap();
    let line = before.lines().find(|line| line.starts_with("extends   ")).unwrap();
    for words in [&parent, "orders:read, approved by carol, ends at", ": orders are stuck"] {
        assert!(line.contains(words), "{words}: {line}");
    }
    let listed = server.run("alice", &["status"]).done();
    assert!(listed.contains(&format!("extends {parent}")), "{listed}");
    // The grant of before goes on by itself, and its holder gives it back.
    let back = server.run("alice", &["revoke", &parent, "--reason", "done"]);
    assert!(back.stderr.contains(", which its holder gave back, at "), "{back:?}");
    assert_eq!(back.done(), "revoked\n");
    let status = server.run("alice", &["status", &parent]).done();
    assert!(
        status.contains("revoked   given back by alice at ") && status.contains(": done"),
        "{status}"
    );
    assert!(server.run("alice", &["status", &id]).done().contains("state     approved"));
    let other = server.run("carol", &["revoke", &id, "--reason", "over"]);
    assert!(other.code == 0 && !other.stderr.contains("gave back"), "{other:?}");
    let status = server.run("alice", &["status", &id]).done();
    assert!(status.contains("revoked   by carol at "), "{status}");
}

#[test]
fn an_extension_can_be_waited_for_and_says_what_it_wants() {
    let server = Server::start();
    let parent = narrowed(&server);
    let extend = ["extend", &parent, "--reason", "r", "--scope", "orders:read", "--duration", "5m"];
    let mut command = server.command("alice", &[&extend[..], &["--wait", "--emergency"]].concat());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let waiting = command.spawn().unwrap();
    let mut shown = Value::Null;
    until(|| {
        let listed = server.run("carol", &["status", "--state", "pending", "--json"]).json();
        shown = listed["requests"][0].clone();
        !shown.is_null()
    });
    assert_eq!((&shown["duration"], &shown["emergency"]), (&json!("5m"), &json!(true)));
    server.run("carol", &["approve", shown["id"].as_str().unwrap(), "--yes"]).done();
    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert!(ran.code == 0 && ran.stdout.split('.').count() == 3, "{ran:?}");
}

/// The same extension is not asked for twice; a request of its own is another one.
#[test]
fn an_extension_is_the_same_only_with_the_same_parent() {
    let server = Server::start();
    let parent = narrowed(&server);
    let extend = ["extend", &parent, "--reason", "r"];
    let first = server.run("alice", &extend).done();
    let again = server.run("alice", &extend);
    assert!(again.stderr.contains("you already asked for this"), "{again:?}");
    assert_eq!(again.done(), first);
    let alone = [
        "request",
        "--scope",
        "orders:read",
        "--reason",
        "r",
        "--incident",
        "INC-7",
        "--duration",
        "10m",
    ];
    let alone = server.run("alice", &alone);
    assert!(alone.stderr.contains("with another extends"), "{alone:?}");
    assert_ne!(alone.done(), first);
}

#[test]
fn what_has_no_grant_is_not_extended_and_a_refusal_is_the_services() {
    let server = Server::start();
    let pending = server.pending();
    let ran = server.run("alice", &["extend", &pending, "--reason", "r"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
    assert!(ran.stderr.contains("is pending and has no grant to go on with"), "{ran:?}");
    let parent = narrowed(&server);
    let other = server.run("carol", &["extend", &parent, "--reason", "r"]);
    assert!(other.code == 2 && other.stderr.ends_with("(not_the_requester)\n"), "{other:?}");
    let wider =
        server.run("alice", &["extend", &parent, "--reason", "r", "--scope", "orders:write"]);
    assert!(wider.code == 3 && wider.stderr.contains("scopes[0]"), "{wider:?}");
}

/// A service that loses what is extended has taken another request.
#[test]
fn an_answer_without_its_parent_is_not_believed() {
    let service = StandIn::start(|_, call: &Call| match good(call) {
        Reply::Json(201, mut view) => {
            view.as_object_mut().unwrap().remove("extends");
            Reply::Json(201, view)
        }
        other => other,
    });
    let ran = service.run(&["extend", PARENT, "--reason", "r"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains(&format!("extends: expected `{PARENT}`")), "{ran:?}");
}
