//! `breakglass rotations` on the command line.

use serde_json::json;

use crate::stand_in::{GRANT, ROTATION, Reply, StandIn, good};

#[test]
fn rotations_are_listed_closed_and_tried_again() {
    let service = StandIn::start(|_, call| good(call));
    let listed = service.run(&["rotations", "list", "--state", "failed"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let line =
        format!("{ROTATION}  failed   orders-credentials  orders:read  {GRANT}  owed since ");
    assert!(listed.stdout.starts_with(&line), "{listed:?}");
    assert!(listed.stdout.ends_with("  3 calls  status 500\n"), "{listed:?}");
    let sent = service.calls().into_iter().last().unwrap();
    assert_eq!(sent.path, "/v1/rotations?state=failed");
    let json = service.run(&["rotations", "list", "--json"]).json();
    assert_eq!(json["rotations"][0]["id"], ROTATION);

    let done = service.run(&["rotations", "done", ROTATION, "--note", "changed in the console"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "rotated\n"), "{done:?}");
    let sent = service.calls().into_iter().last().unwrap();
    assert!(sent.is("POST", &format!("/v1/rotations/{ROTATION}/done")), "{sent:?}");
    let body: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!(body, json!({ "note": "changed in the console" }));

    let retried = service.run(&["rotations", "retry", ROTATION]);
    assert_eq!((retried.code, retried.stdout.as_str()), (0, "called again\n"), "{retried:?}");
    assert_eq!(service.run(&["rotations", "done", ROTATION]).code, 3, "a note is required");
    assert_eq!(service.run(&["rotations", "list", "--state", "lost"]).code, 3);
}

#[test]
fn what_is_not_done_is_said() {
    let none = StandIn::start(|_, _| Reply::Json(200, json!({ "rotations": [], "next": null })));
    let ran = none.run(&["rotations", "list"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", "no rotations\n"));
    let gone = StandIn::start(|_, call| {
        let Reply::Json(status, mut answer) = good(call) else { return good(call) };
        answer["configured"] = json!(false);
        Reply::Json(status, answer)
    });
    let ran = gone.run(&["rotations", "retry", ROTATION]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("has no hook `orders-credentials`"), "{ran:?}");
    // The answer of another rotation, or of one that is as it was, is no success.
    let other = StandIn::start(|_, call| {
        let Reply::Json(status, mut answer) = good(call) else { return good(call) };
        answer["state"] = json!("failed");
        Reply::Json(status, answer)
    });
    for arguments in
        [&["rotations", "retry", ROTATION][..], &["rotations", "done", ROTATION, "--note", "n"]]
    {
        assert_eq!(other.run(arguments).code, 1);
    }
}
