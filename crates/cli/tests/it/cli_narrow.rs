//! `breakglass approve` of less than was asked for.

use serde_json::{Value, json};

use crate::process::Server;
use crate::stand_in::{Call, REQUEST, Reply, StandIn, good, view};

const BOTH: &[&str] =
    &["request", "--scope", "orders:read", "--scope", "orders:write", "--reason", "r"];

fn asked(server: &Server) -> String {
    server.run("alice", BOTH).done().trim().to_owned()
}

#[test]
fn an_approver_leaves_out_a_scope_and_shortens_the_time() {
    let server = Server::start();
    let id = asked(&server);
    let narrow =
        ["--scope", "orders:read", "--duration", "10m", "--note", "reading is enough", "--yes"];
    let ran = server.run("carol", &[&["approve", &id][..], &narrow].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    // Before the question, and as what was done.
    let (shown, done) = ran.stderr.split_once("approved; ends at ").unwrap();
    for line in [
        "scopes    orders:read, orders:write",
        "duration  30m from approval",
        "grants    orders:read for 10m",
        "left out  orders:write",
        "note      reading is enough",
    ] {
        assert!(shown.lines().any(|other| other == line), "{line}: {shown}");
    }
    for words in ["grants    orders:read for 10m", "left out  orders:write", "alice has to take"] {
        assert!(done.contains(words), "{words}: {done}");
    }
    let status = server.run("alice", &["status", &id]).done();
    for words in [
        "state     approved",
        "granted   orders:read\n",
        "left out  orders:write\n",
        ", orders:read alone, for 10m: reading is enough\n",
        &format!("`breakglass token {id}`"),
    ] {
        assert!(status.contains(words), "{words}: {status}");
    }
    // A list has what is held, and until when it can be taken.
    let line = server.run("alice", &["status", "--state", "approved"]).done();
    assert!(line.contains("  orders:read  30m  ") && line.contains("lapses in"), "{line}");
    server.run("alice", &["token", &id]).done();
    let status = server.run("alice", &["status", &id]).done();
    for words in ["state     active", "\nactivated 20", "\nends      20"] {
        assert!(status.contains(words), "{words}: {status}");
    }
    assert!(!status.contains("take by"), "{status}");
    // Both words find a grant that holds.
    for state in ["approved", "active"] {
        let listed = server.run("alice", &["status", "--state", state]).done();
        assert!(listed.contains(&format!("{id}  active")), "{state}: {listed}");
    }
    let json = server.run("alice", &["status", &id, "--json"]).json();
    assert_eq!(json["grant"]["approvals"][0]["note"], "reading is enough");
}

/// All of it, named: no narrowing.
#[test]
fn what_narrows_nothing_says_nothing_of_it() {
    let server = Server::start();
    let id = asked(&server);
    let all = ["--scope", "orders:write", "--scope", "orders:read", "--duration", "30m", "--yes"];
    let ran = server.run("carol", &[&["approve", &id][..], &all].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("grants") && !ran.stderr.contains("left out"), "{ran:?}");
}

/// Said before the question, and before the service is asked.
#[test]
fn an_approval_that_widens_is_not_sent() {
    let service = StandIn::start(|_, call: &Call| good(call));
    for (more, words) in [
        (
            ["--scope", "db:admin"],
            "expected one of `orders:read`, which were asked for, got `db:admin`",
        ),
        (["--duration", "31m"], "expected at most 30m, which was asked for, got 31m"),
    ] {
        let ran = service.run(&[&["approve", REQUEST, "--yes"][..], &more].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
    let posts = service.calls().into_iter().filter(|call| call.method == "POST").count();
    assert_eq!(posts, 0);
    assert_eq!(service.run(&["approve", REQUEST, "--yes", "--duration", "soon"]).code, 3);
}

/// A service that grants more than the approver did is not believed.
#[test]
fn a_grant_of_more_is_not_believed() {
    let granted = |scopes: Value, expires_at: &str| {
        let mut view = view("approved");
        view["scopes"] = json!(["orders:read", "orders:write"]);
        view["grant"]["scopes"] = scopes;
        view["grant"]["expires_at"] = json!(expires_at);
        view
    };
    let (short, long) = ("2026-11-22T02:24:00Z", "2026-11-22T02:24:01Z");
    for (scopes, expires_at, words) in [
        (json!(["orders:read"]), short, None),
        (
            json!(["orders:read", "orders:write"]),
            short,
            Some("grant.scopes: expected `orders:read`"),
        ),
        (json!([]), short, Some("grant.scopes: expected `orders:read`")),
        (
            json!(["orders:read"]),
            long,
            Some("grant.expires_at: expected `10m from the approval on`"),
        ),
    ] {
        let approved = granted(scopes, expires_at);
        let service = StandIn::start(move |_, call: &Call| match call.method.as_str() {
            "GET" => {
                let mut pending = view("pending");
                pending["scopes"] = json!(["orders:read", "orders:write"]);
                Reply::Json(200, pending)
            }
            _ => Reply::Json(200, approved.clone()),
        });
        let narrow = ["--yes", "--scope", "orders:read", "--duration", "600s"];
        let ran = service.run(&[&["approve", REQUEST][..], &narrow].concat());
        let sent = json!({ "scopes": ["orders:read"], "duration": "10m" });
        assert_eq!(serde_json::from_str::<Value>(&service.calls()[1].body).unwrap(), sent);
        match words {
            None => assert_eq!(ran.code, 0, "{ran:?}"),
            Some(words) => {
                assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
                assert!(ran.stderr.contains(words), "{ran:?}");
            }
        }
    }
}

/// The requester may have taken the token before the answer to the approval was written.
#[test]
fn a_grant_that_is_active_already_was_approved() {
    let service = StandIn::start(|_, call: &Call| match call.method.as_str() {
        "POST" => Reply::Json(200, view("active")),
        _ => good(call),
    });
    let ran = service.run(&["approve", REQUEST, "--yes"]);
    assert!(ran.code == 0 && ran.stderr.contains("approved; ends at"), "{ran:?}");
}

/// A service that is older than what is sent says so in its way, and the command line in words.
#[test]
fn an_older_service_is_named_where_it_does_not_know_what_is_sent() {
    for (arguments, member) in [
        (&["approve", REQUEST, "--yes", "--note", "n"][..], "note"),
        (&["approve", REQUEST, "--yes", "--scope", "orders:read"], "scopes"),
        (&["extend", crate::stand_in::PARENT, "--reason", "r"], "extends"),
    ] {
        let service = StandIn::start(move |_, call: &Call| match call.method.as_str() {
            "POST" => Reply::Json(
                400,
                json!({ "reason": "invalid_request", "detail": format!(
                    "the body is not as expected: unknown field `{member}`, expected `digest` at line 1 column 9") }),
            ),
            _ => good(call),
        });
        let ran = service.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        let words =
            format!("the service does not know `{member}`; the service does not say its version");
        assert!(ran.stderr.contains(&words) && ran.stderr.contains("newer service"), "{ran:?}");
        let json = service.run(&[arguments, &["--json"]].concat()).json();
        assert_eq!(json["reason"], "invalid_request");
    }
}
