//! `breakglass status`: pages, times, marks.

use serde_json::{Value, json};

use crate::process::Server;
use crate::stand_in::{Reply, StandIn, view};

fn numbered(number: usize) -> Value {
    let mut view = view("pending");
    view["id"] = json!(format!("req_{number}"));
    view
}

/// Three pages of two; `next` is what `after` has to be.
fn paged() -> StandIn {
    StandIn::start(|_, call| {
        let after = call.path.split("after=").nth(1).unwrap_or("0");
        let page: usize = after.trim_start_matches("p%2F").parse().unwrap();
        let next = if page < 2 { json!(format!("p/{}", page + 1)) } else { Value::Null };
        let requests = [numbered(2 * page), numbered(2 * page + 1)];
        Reply::Json(200, json!({ "requests": requests, "next": next, "as_of": page }))
    })
}

#[test]
fn all_follows_the_pages_and_without_it_more_is_said() {
    let server = paged();
    let ran = server.run(&["status"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{ran:?}");
    assert!(ran.stderr.contains("breakglass status --all"), "{ran:?}");
    let ran = server.run(&["status", "--all", "--state", "pending", "--mine"]);
    let ids: Vec<&str> = ran.stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(ids, ["req_0", "req_1", "req_2", "req_3", "req_4", "req_5"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let paths: Vec<String> = server.calls().into_iter().skip(1).map(|call| call.path).collect();
    assert_eq!(
        paths,
        [
            "/v1/requests?state=pending&mine=true",
            "/v1/requests?state=pending&mine=true&after=p%2F1",
            "/v1/requests?state=pending&mine=true&after=p%2F2",
        ]
    );
    let json = server.run(&["status", "--all", "--json"]).json();
    assert_eq!(json["requests"].as_array().unwrap().len(), 6);
    assert_eq!((&json["next"], &json["as_of"]), (&Value::Null, &json!(0)));
    let first = server.run(&["status", "--json"]).json();
    assert_eq!((first["requests"].as_array().unwrap().len(), &first["next"]), (2, &json!("p/1")));
}

#[test]
fn a_list_that_does_not_end_is_none() {
    for requests in [json!([numbered(1)]), json!([])] {
        let answer = json!({ "requests": requests, "next": "same" });
        let server = StandIn::start(move |_, _| Reply::Json(200, answer.clone()));
        let ran = server.run(&["status", "--all"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains("do not end"), "{ran:?}");
        assert!(server.calls().len() <= 3);
    }
}

#[test]
fn times_incident_and_emergency_are_in_the_list_and_in_full() {
    let server = Server::start();
    let arguments = [
        "request",
        "--scope",
        "orders:read",
        "--reason",
        "stuck",
        "--incident",
        "INC-7",
        "--emergency",
    ];
    let id = server.run("alice", &arguments).done();
    let id = id.trim();
    let line = server.run("carol", &["status"]).done();
    let words: Vec<&str> =
        line.trim().split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    assert_eq!((words[0], words[1]), (id, "pending"), "{line}");
    assert!(words[2].ends_with('Z') && words[3].starts_with("lapses in 9 min"), "{line}");
    assert_eq!(
        words[4..],
        ["alice", "orders:read", "30m", "EMERGENCY", "INC-7", "stuck"],
        "{line}"
    );
    let shown = server.run("carol", &["status", id]).done();
    for words in
        ["state     pending (emergency)\n", "incident  INC-7\n", " s ago)\n", "Z (in 9 min)\n"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    server.run("carol", &["approve", id, "--yes"]).done();
    let line = server.run("alice", &["status"]).done();
    assert!(line.contains("approved ") && line.contains("  lapses in 14 min  "), "{line}");
    let shown = server.run("alice", &["status", id]).done();
    assert!(shown.contains("approved  by carol at ") && shown.contains("(in 29 min)\n"), "{shown}");
    server.run("alice", &["token", id]).done();
    let line = server.run("alice", &["status"]).done();
    assert!(line.contains("active ") && line.contains("  ends in 29 min  "), "{line}");
    server.run("alice", &["done"]).done();
    let line = server.run("alice", &["status"]).done();
    assert!(line.contains("  revoked ") && line.contains(" s ago  "), "{line}");
}

#[test]
fn an_approver_can_list_only_their_own() {
    let server = Server::start();
    server.pending();
    assert_eq!(server.run("carol", &["status"]).done().lines().count(), 1);
    assert_eq!(server.run("carol", &["status", "--mine"]).done(), "");
}
