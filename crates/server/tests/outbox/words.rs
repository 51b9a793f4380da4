//! What people read of each type of event: its title, the command that goes on from it, and the facts that only it has.

use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use breakglass_server::clock::Moment;
use breakglass_server::sinks::Notice;
use breakglass_server::sinks::words::words;
use breakglass_testing::service::START;
use serde_json::{Value, json};

const REQUEST: &str = "req_01KAN5S3M0W8Z4T2C9X7Y6B5D1";

/// An example by carol of alice's request for `orders:write` and `orders:read`, for 30 minutes.
fn notice(kind: EventType, data: Value) -> Notice {
    let mut notice = Notice::example(kind.word(), Moment::from_seconds(START));
    notice.actor = "carol".to_owned();
    if let Some(asked) = &mut notice.asked {
        asked.scopes = vec!["orders:write".to_owned(), "orders:read".to_owned()];
    }
    if !data.is_null() {
        notice.data = data;
    }
    notice
}

/// The title, and the command with its label; `REQ` and `GRANT` stand for the ids.
fn said(notice: &Notice) -> (String, String) {
    let words = words(notice);
    let command = words.command.map(|command| format!("{}: {}", command.label, command.text));
    let command = command.unwrap_or_default();
    let command = command.replace(REQUEST, "REQ");
    (words.title, command.replace("grant_01KAN5S3M0W8Z4T2C9X7Y6B5D2", "GRANT"))
}

#[test]
fn each_type_of_a_request_or_a_grant_has_its_title_and_its_command() {
    use EventType::{
        Activated, Answered, Approved, Cancelled, Denied, EmergencyTaken, Ending, Escalated,
        Expired, IncidentChecked, Lapsed, PartlyApproved, Questioned, ReviewDisputed,
        ReviewOverdue, ReviewOwed, ReviewSigned, Revoked, RotationDone, RotationFailed,
        RotationOwed, RotationRetried, Submitted, TokenIssued, Unreached,
    };
    let scopes = "orders:write, orders:read";
    let ends =
        |seconds: i64| json!({ "expires_at": breakglass_server::clock::rfc3339(START + seconds) });
    let table = [
        (
            Submitted,
            Value::Null,
            format!("alice asks for {scopes}"),
            "Answer: breakglass approve REQ",
        ),
        (
            Unreached,
            Value::Null,
            format!("No approver was reached for alice, who asks for {scopes}"),
            "Give an approver: breakglass approve REQ",
        ),
        (
            Escalated,
            json!({ "rule": "r", "entry": 1, "to": ["dbas", "heads"], "after": "5m" }),
            format!("Escalated to dbas, heads: alice still waits for {scopes}"),
            "Answer: breakglass approve REQ",
        ),
        (
            IncidentChecked,
            json!({ "verdict": "closed", "state": "done" }),
            format!("The incident of alice for {scopes} is closed"),
            "See it: breakglass status REQ",
        ),
        (
            Questioned,
            Value::Null,
            format!("carol asks alice about {scopes}"),
            "Answer: breakglass answer REQ '..'",
        ),
        (
            Answered,
            Value::Null,
            format!("carol answered about {scopes}"),
            "Answer: breakglass approve REQ",
        ),
        (
            PartlyApproved,
            json!({}),
            format!("carol approved {scopes} for alice, and others have to"),
            "An approver answers: breakglass approve REQ",
        ),
        (
            Approved,
            json!({}),
            format!("carol approved {scopes} for alice"),
            "Take the token: breakglass token REQ",
        ),
        (
            Approved,
            json!({ "scopes": ["orders:read"] }),
            "carol approved less than alice asked for: orders:read".to_owned(),
            "Take the token: breakglass token REQ",
        ),
        (
            Approved,
            json!({ "duration_s": 600 }),
            format!("carol approved less than alice asked for: {scopes}, for 10m"),
            "Take the token: breakglass token REQ",
        ),
        (
            Denied,
            Value::Null,
            format!("carol denied {scopes} to alice"),
            "See it: breakglass status REQ",
        ),
        (Cancelled, Value::Null, format!("carol took back the request for {scopes}"), ""),
        (
            Lapsed,
            json!({ "of": "request" }),
            format!("The request of alice for {scopes} lapsed: it was not decided in time"),
            "See it: breakglass status REQ",
        ),
        (
            Lapsed,
            json!({ "of": "grant" }),
            format!("The grant of alice for {scopes} lapsed: its token was not taken in time"),
            "See it: breakglass status REQ",
        ),
        (
            EmergencyTaken,
            json!({ "rules": ["writes"], "duration_s": 1800 }),
            format!("alice took {scopes} without an approval"),
            "End it: breakglass revoke GRANT --reason '..'",
        ),
        (
            Activated,
            Value::Null,
            format!("alice uses {scopes} from now on"),
            "End it: breakglass revoke GRANT --reason '..'",
        ),
        (
            TokenIssued,
            Value::Null,
            format!("alice took a further token for {scopes}"),
            "End it: breakglass revoke GRANT --reason '..'",
        ),
        (
            Ending,
            ends(300),
            format!("5 minutes left of the grant of alice for {scopes}"),
            "Go on: breakglass extend REQ --reason '..'",
        ),
        (
            Ending,
            ends(61),
            format!("2 minutes left of the grant of alice for {scopes}"),
            "Go on: breakglass extend REQ --reason '..'",
        ),
        (
            Ending,
            ends(60),
            format!("1 minute left of the grant of alice for {scopes}"),
            "Go on: breakglass extend REQ --reason '..'",
        ),
        (
            Ending,
            json!({}),
            format!("A few minutes left of the grant of alice for {scopes}"),
            "Go on: breakglass extend REQ --reason '..'",
        ),
        (
            Expired,
            Value::Null,
            format!("The grant of alice for {scopes} is over"),
            "See it: breakglass status REQ",
        ),
        (
            Revoked,
            Value::Null,
            format!("carol ended the grant of alice for {scopes}"),
            "See it: breakglass status REQ",
        ),
        (
            Revoked,
            json!({ "given_back": true }),
            format!("alice gave back the grant for {scopes}"),
            "See it: breakglass status REQ",
        ),
        (
            RotationOwed,
            json!({ "hook": "db" }),
            format!("The grant of alice for {scopes} has ended: the hook db is to rotate"),
            "See it: breakglass status REQ",
        ),
        (
            RotationFailed,
            json!({ "hook": "db", "rotation": "rot_1" }),
            format!("Not rotated after the grant of alice for {scopes}: the hook db fails"),
            "Rotated by hand: breakglass rotations done rot_1 --note '..'",
        ),
        (
            RotationRetried,
            json!({ "hook": "db" }),
            "carol lets the hook db be called again for the grant of alice".to_owned(),
            "See it: breakglass status REQ",
        ),
        (
            RotationDone,
            json!({ "hook": "db" }),
            format!("carol rotated by hand what the grant of alice for {scopes} touched"),
            "See it: breakglass status REQ",
        ),
        (
            ReviewOwed,
            json!({ "review": "rev_1", "signable_by": "people" }),
            format!("The grant of alice for {scopes} has ended: it is to be reviewed"),
            "Review it: breakglass review show rev_1",
        ),
        (
            ReviewOwed,
            json!({ "review": "rev_1", "signable_by": "no_one" }),
            format!("All who could review the grant of alice for {scopes} took part in it"),
            "Review it: breakglass review show rev_1",
        ),
        (
            ReviewOverdue,
            json!({ "review": "rev_1", "signable_by": "unknown" }),
            format!("Not reviewed in time: the grant of alice for {scopes}"),
            "Review it: breakglass review show rev_1",
        ),
        (
            ReviewOverdue,
            json!({ "review": "rev_1", "signable_by": "no_one" }),
            format!(
                "Not reviewed in time, all who could took part: the grant of alice for {scopes}"
            ),
            "Review it: breakglass review show rev_1",
        ),
        (
            ReviewSigned,
            json!({ "review": "rev_1" }),
            format!("carol reviewed the grant of alice for {scopes}: it is in order"),
            "See it: breakglass review show rev_1",
        ),
        (
            ReviewDisputed,
            json!({ "review": "rev_1", "note": "why?" }),
            format!("carol disputes the grant of alice for {scopes}"),
            "See it: breakglass review show rev_1",
        ),
    ];
    for (kind, data, title, command) in &table {
        let of = said(&notice(*kind, data.clone()));
        assert_eq!(of, (title.clone(), (*command).to_owned()), "{kind:?} {data}");
    }
    let mut by_hook = notice(RotationDone, json!({ "hook": "db" }));
    by_hook.actor = "service".to_owned();
    let title = format!("the hook db rotates what the grant of alice for {scopes} touched");
    assert_eq!(said(&by_hook).0, title);
    for kind in EventType::ALL {
        let of_request = [
            "breakglass.request.",
            "breakglass.grant.",
            "breakglass.rotation.",
            "breakglass.review.",
        ];
        let is_of_request = of_request.iter().any(|start| kind.word().starts_with(start));
        let is_listed = table.iter().any(|(listed, ..)| listed == kind);
        assert_eq!(is_listed, is_of_request, "{kind:?}");
        let title = said(&notice(*kind, Value::Null)).0;
        assert!(!title.contains("breakglass."), "{kind:?} has words: {title}");
    }
}

#[test]
fn the_requester_reads_what_is_less_than_was_asked_for_and_why_it_ended() {
    let lines = |kind, data| words(&notice(kind, data)).lines;
    let less = json!({ "scopes": ["orders:read"], "duration_s": 600, "note": "reading is enough" });
    let lines_of_less = lines(EventType::Approved, less);
    for expected in [
        ("Approved", "orders:read"),
        ("Not approved", "orders:write"),
        ("For", "10m instead of 30m"),
        ("Note", "reading is enough"),
        ("By", "carol"),
        ("Request", REQUEST),
    ] {
        let expected = (expected.0, expected.1.to_owned());
        assert!(lines_of_less.contains(&expected), "{expected:?} {lines_of_less:?}");
    }
    let whole = lines(EventType::Approved, json!({}));
    let labels: Vec<&str> = whole.iter().map(|(label, _)| *label).collect();
    assert!(!labels.iter().any(|label| ["Approved", "Not approved", "For"].contains(label)));
    for (kind, data, label, value) in [
        (EventType::Denied, json!({ "reason": "not tonight" }), "Reason", "not tonight"),
        (EventType::Revoked, json!({ "reason": "it is over" }), "Reason", "it is over"),
        (EventType::Questioned, json!({ "text": "why?" }), "Said", "why?"),
        (EventType::Ending, Value::Null, "Ends", "2026-11-22T02:18:00Z"),
        (EventType::Expired, Value::Null, "Ended", "2026-11-22T02:13:00Z"),
    ] {
        let lines = lines(kind, data);
        assert!(lines.contains(&(label, value.to_owned())), "{kind:?} {lines:?}");
    }
}

#[test]
fn an_emergency_is_loud() {
    use EventType::{Activated, Approved, Denied, Ending, Expired, Revoked, Submitted};
    for (kind, usual, emergency, is_marked) in [
        (Submitted, "notice", "critical", true),
        (Approved, "notice", "warning", true),
        (Activated, "notice", "warning", true),
        (Denied, "notice", "notice", false),
        (Ending, "notice", "notice", false),
        (Expired, "notice", "notice", false),
        (Revoked, "notice", "notice", false),
    ] {
        let mut notice = notice(kind, Value::Null);
        assert_eq!(notice.severity().word(), usual, "{kind:?}");
        assert!(!words(&notice).title.contains("EMERGENCY"));
        notice.asked.as_mut().unwrap().emergency = true;
        assert_eq!(notice.severity().word(), emergency, "{kind:?}");
        let event = notice.cloud_event("https://approvals.test");
        assert_eq!(event["severity"], emergency);
        let words = words(&notice);
        assert_eq!(words.title.starts_with("EMERGENCY: "), is_marked, "{words:?}");
        assert!(words.lines.contains(&("Emergency", "yes".to_owned())));
    }
}

#[test]
fn the_link_is_under_the_issuer_or_there_is_none() {
    let of = |issuer: &str, request: Option<&str>| {
        let mut notice = notice(EventType::Submitted, Value::Null);
        notice.request = request.map(str::to_owned);
        let link = notice.link(issuer);
        let event = notice.cloud_event(issuer);
        assert_eq!(event["data"].get("link"), link.as_ref().map(|link| json!(link)).as_ref());
        link
    };
    for (issuer, base) in [
        ("https://approvals.test", "https://approvals.test"),
        ("https://approvals.test/", "https://approvals.test"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://corp.test/breakglass/", "https://corp.test/breakglass"),
    ] {
        assert_eq!(of(issuer, Some(REQUEST)), Some(format!("{base}/requests/{REQUEST}")));
    }
    for (issuer, request) in [
        ("https://approvals.test", None),
        ("https://approvals.test", Some("req_1|x")),
        ("https://approvals.test", Some("grant_01KAN5S3M0W8Z4T2C9X7Y6B5D1")),
        ("ftp://approvals.test", Some(REQUEST)),
        ("approvals", Some(REQUEST)),
        ("https://approvals.test/a|b", Some(REQUEST)),
        ("https://user:secret@approvals.test", Some(REQUEST)),
        ("https://approvals.test/?a=b", Some(REQUEST)),
    ] {
        assert_eq!(of(issuer, request), None, "{issuer} {request:?}");
    }
}
