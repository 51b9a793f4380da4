//! What providers say of groups, on the command line: ends of grants that are held, and groups of an old answer.

use serde_json::json;

use crate::stand_in::{REQUEST, Reply, StandIn, good};

#[test]
fn held_ends_are_listed_and_confirmed() {
    let service = StandIn::start(|_, call| good(call));
    let listed = service.run(&["held-ends"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.stdout.starts_with("corp:sre  corp:al-1  lost "), "{listed:?}");
    assert!(listed.stderr.contains("`breakglass held-ends confirm GROUP`"), "{listed:?}");
    assert_eq!(service.run(&["held-ends", "--json"]).json()["held_ends"][0]["person"], "corp:al-1");

    let confirmed = service.run(&["held-ends", "confirm", "corp:sre"]);
    assert_eq!((confirmed.code, confirmed.stdout.as_str()), (0, "confirmed\n"), "{confirmed:?}");
    assert_eq!(confirmed.stderr, "1 person, who lost `corp:sre`: 2 grants ended\n");
    let sent = service.calls().into_iter().last().unwrap();
    assert!(sent.is("POST", "/v1/directory/held-ends/confirm"), "{sent:?}");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&sent.body).unwrap(),
        json!({ "group": "corp:sre" })
    );
}

#[test]
fn what_is_not_done_is_said() {
    let none = StandIn::start(|_, _| Reply::Json(200, json!({ "held_ends": [] })));
    let ran = none.run(&["held-ends"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (0, "", "no ends of grants are held\n")
    );
    let left =
        StandIn::start(|_, _| Reply::Json(200, json!({ "people": 0, "revoked": 0, "left": 2 })));
    let ran = left.run(&["held-ends", "confirm", "corp:sre"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("of 2 people the groups are not known now"), "{ran:?}");
    assert_eq!(left.run(&["held-ends", "confirm"]).code, 3);
}

#[test]
fn groups_of_an_old_answer_are_told_to_requester_and_approver() {
    let service = StandIn::start(|_, call| {
        let Reply::Json(status, mut answer) = good(call) else { return good(call) };
        if call.method == "POST" {
            answer["old_groups"] = json!([{ "person": "corp:al-1", "provider": "corp",
                "said_at": "2026-11-22T02:13:00Z", "cause": "timed out" }]);
        }
        Reply::Json(status, answer)
    });
    for arguments in [
        &["request", "--scope", "orders:read", "--reason", "r"][..],
        &["approve", REQUEST, "--yes"],
        &["token", REQUEST],
    ] {
        let ran = service.run(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        let said = ran.stderr.lines().filter(|line| line.starts_with("groups of corp:al-1 as of "));
        let said: Vec<&str> = said.collect();
        assert_eq!(said.len(), 1, "{ran:?}");
        assert!(said[0].ends_with("the identity provider `corp` is away (timed out)"), "{ran:?}");
        assert_eq!(ran.stdout.lines().count(), 1, "stdout is the result alone: {ran:?}");
        assert!(!service.run(&[arguments, &["--json"]].concat()).json()["old_groups"].is_null());
    }
    let fresh = StandIn::start(|_, call| good(call));
    assert!(!fresh.run(&["token", REQUEST]).stderr.contains("groups of"));
}
