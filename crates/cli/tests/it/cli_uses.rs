//! `breakglass uses` on the command line.

use serde_json::json;

use crate::stand_in::{GRANT, Reply, StandIn, good};

#[test]
fn the_uses_of_a_grant_are_a_table() {
    let service = StandIn::start(|_, call| good(call));
    let ran = service.run(&["uses", GRANT]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let table =
        "12  allow  GET    /v1/orders/{id}  orders:read\n 3  deny   other  -                -\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (table, ""));
    let json = service.run(&["uses", GRANT, "--json"]).json();
    assert_eq!(json["uses"][0]["records"], 12);
}

#[test]
fn what_is_not_known_is_said() {
    let answers = |uses, other| json!({ "grant": GRANT, "uses": uses, "other_records": other });
    let none = StandIn::start(move |_, _| Reply::Json(200, answers(json!([]), 0)));
    let ran = none.run(&["uses", GRANT]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stderr.starts_with("no proxy has reported a record"), "{ran:?}");
    let old = StandIn::start(move |_, _| Reply::Json(200, answers(json!([]), 7)));
    let ran = old.run(&["uses", GRANT]);
    assert!(ran.stderr.starts_with("7 more records are of no known kind"), "{ran:?}");
}

/// What a proxy says is shown in one line, whatever characters it has.
#[test]
fn texts_of_a_proxy_steer_no_terminal() {
    let hostile = "/\u{1b}[2J\n999  allow  GET  /safe";
    let used = json!([{ "scope": "s", "method": "GET", "rule": hostile, "outcome": "allow", "records": 1 }]);
    let service = StandIn::start(move |_, _| {
        Reply::Json(200, json!({ "grant": GRANT, "uses": used, "other_records": 0 }))
    });
    let ran = service.run(&["uses", GRANT]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 1), "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
}
