//! What an answer has to say before a verb believes it, and what `--json` and a refusal show.

use serde_json::{Value, json};

use crate::stand_in::{Call, GRANT, REQUEST, Reply, StandIn, good, issued, jws, problem, view};

/// Our service, but for one answer.
fn but(method: &'static str, path: &'static str, reply: Reply) -> StandIn {
    StandIn::start(
        move |_, call: &Call| if call.is(method, path) { reply.clone() } else { good(call) },
    )
}

fn with(mut value: Value, pointer: &str, member: Value) -> Value {
    *value.pointer_mut(pointer).unwrap() = member;
    value
}

/// A request of the service's, and another one than was asked about, or not where the verb put it.
#[test]
fn an_answer_about_something_else_is_not_believed() {
    let path = |act: &str| format!("/v1/requests/{REQUEST}{act}").leak() as &'static str;
    let other = json!("req_01KAN5S3M0W8Z4T2C9X7Y6B5D9");
    let approve = ["approve", REQUEST, "--yes"];
    let deny = ["deny", REQUEST, "--reason", "r"];
    let ask = ["request", "--scope", "orders:read", "--reason", "r"];
    let no_grant = |state: &str| with(view("pending"), "/state", json!(state));
    let cases: Vec<(&[&str], &'static str, &'static str, Value, &str)> = vec![
        (
            &["status", REQUEST],
            "GET",
            path(""),
            with(view("pending"), "/id", other.clone()),
            "id: expected",
        ),
        (
            &["status", "--state", "pending"],
            "GET",
            "/v1/requests",
            json!({ "requests": [view("approved")] }),
            "state: expected `pending`, got `approved`",
        ),
        (&approve, "GET", path(""), with(view("pending"), "/id", other.clone()), "id: expected"),
        (
            &approve,
            "POST",
            path("/approve"),
            with(view("approved"), "/id", other.clone()),
            "id: expected",
        ),
        (
            &approve,
            "POST",
            path("/approve"),
            view("pending"),
            "approvals: expected `one more than before`, got `0`",
        ),
        (
            &approve,
            "POST",
            path("/approve"),
            view("denied"),
            "state: expected `approved`, got `denied`",
        ),
        (&approve, "POST", path("/approve"), no_grant("approved"), "approved without `grant`"),
        (
            &approve,
            "POST",
            path("/approve"),
            with(view("approved"), "/grant/expires_at", json!("soon")),
            "RFC 3339",
        ),
        (
            &approve,
            "POST",
            path("/approve"),
            with(view("approved"), "/grant/id", json!("$(reboot)")),
            "grant.id",
        ),
        (
            &approve,
            "POST",
            path("/approve"),
            with(view("approved"), "/scopes", json!(["db:admin"])),
            "scopes: expected",
        ),
        (
            &approve,
            "POST",
            path("/approve"),
            with(view("approved"), "/duration", json!("24h")),
            "duration: expected",
        ),
        (
            &approve,
            "POST",
            path("/approve"),
            with(view("approved"), "/requester", json!("mallory")),
            "requester: expected",
        ),
        (
            &deny,
            "POST",
            path("/deny"),
            view("approved"),
            "state: expected `denied`, got `approved`",
        ),
        (&deny, "POST", path("/deny"), with(view("denied"), "/id", other.clone()), "id: expected"),
        (&deny, "POST", path("/deny"), no_grant("denied"), "denied without `denied`"),
        (
            &["cancel", REQUEST],
            "POST",
            path("/cancel"),
            view("pending"),
            "state: expected `cancelled`",
        ),
        (
            &["cancel", REQUEST],
            "POST",
            path("/cancel"),
            with(view("cancelled"), "/id", other.clone()),
            "id: expected",
        ),
        (
            &ask,
            "POST",
            "/v1/requests",
            with(view("pending"), "/scopes", json!(["db:admin"])),
            "scopes: expected",
        ),
        (
            &ask,
            "POST",
            "/v1/requests",
            with(view("pending"), "/reason", json!("other")),
            "reason: expected",
        ),
        (
            &ask,
            "POST",
            "/v1/requests",
            with(view("pending"), "/id", json!("req_1; rm -r ~")),
            "id: expected an id",
        ),
        (
            &["audit", "report", "--grant", "grant_2", "/dev/null"],
            "GET",
            "/v1/audit/requests",
            json!({ "next": null, "requests": [{ "request": view("approved"), "trail": [] }] }),
            "grant: expected `grant_2`",
        ),
    ];
    for (arguments, method, path, answer, words) in cases {
        let ran = but(method, path, Reply::Json(200, answer)).run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{arguments:?}, {words}: {ran:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {words}: {ran:?}");
        assert!(!ran.stderr.contains("approved; ends"), "{ran:?}");
    }
}

#[test]
fn a_token_is_a_jws_for_its_grant() {
    let claims = json!({ "jti": GRANT, "exp": 4_004_390_640_i64 });
    let header = json!({ "alg": "ES256" });
    let part = "eyJhbGciOiJFUzI1NiJ9";
    let other = json!({ "jti": "grant_2", "exp": 4_004_390_640_i64 });
    let later = json!({ "jti": GRANT, "exp": 4_004_390_641_i64 });
    for (answer, words) in [
        (with(issued(), "/token", json!("")), "JWS"),
        (with(issued(), "/token", json!("approved")), "JWS"),
        (with(issued(), "/token", json!("<html>.<body>.</body>")), "JWS"),
        (with(issued(), "/token", json!(format!("{part}.{part}"))), "JWS"),
        (with(issued(), "/token", json!(format!("{part}.{part}.{part}.{part}"))), "JWS"),
        (with(issued(), "/token", json!(format!("{part}.{part}.{part}\n"))), "JWS"),
        (with(issued(), "/token", json!(format!("{part}.{part}.{part}"))), "`jti` and `exp`"),
        (with(issued(), "/token", json!("a".repeat(20_000))), "JWS"),
        (with(issued(), "/token", json!(jws(&json!({ "alg": "none" }), &claims))), "JWS"),
        (with(issued(), "/token", json!(jws(&header, &other))), "another grant"),
        (with(issued(), "/token", json!(jws(&header, &later))), "another instant"),
        (with(issued(), "/grant", json!("grant_2")), "another grant"),
        (with(issued(), "/expires_at", json!("2026-11-22T02:44:00Z")), "another instant"),
    ] {
        let path = format!("/v1/requests/{REQUEST}/token").leak();
        let server = but("POST", path, Reply::Json(200, answer.clone()));
        let ran = server.run(&["token", REQUEST]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{answer}: {ran:?}");
        assert!(ran.stderr.contains(words), "{answer}: {ran:?}");
        let token = answer["token"].as_str().unwrap();
        assert!(token.len() < 10 || !ran.stderr.contains(token), "{ran:?}");
    }
    // `request --wait` knows of which grant it has to be.
    let mut approved = view("approved");
    approved["grant"]["id"] = json!("grant_3");
    let server = StandIn::start(move |_, call| match call.path.contains("wait=") {
        true => Reply::Json(200, approved.clone()),
        false => good(call),
    });
    let ran = server.run(&["request", "--scope", "orders:read", "--reason", "r", "--wait"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("grant: expected `grant_3`"), "{ran:?}");
}

/// A newer service says more: it is believed, and `--json` shows all of it.
#[test]
fn members_that_are_not_known_are_shown() {
    let mut newer = view("approved");
    newer["severity"] = json!({ "a": [1, null] });
    newer["grant"]["cnf"] = json!("x");
    let path = format!("/v1/requests/{REQUEST}").leak();
    let server = but("GET", path, Reply::Json(200, newer.clone()));
    assert_eq!(server.run(&["status", REQUEST, "--json"]).json(), newer);
    newer["state"] = json!("escalated");
    let server = but("GET", path, Reply::Json(200, newer.clone()));
    assert!(server.run(&["status", REQUEST]).done().contains("state     escalated"));
}

/// Nothing that a server sends makes a line of its own, moves the cursor, or fills the terminal.
#[test]
fn a_refusal_steers_nothing() {
    let detail = "no\u{1b}[2J\u{9b}1A\r\nbreakglass: approved; ends at 2096\u{2028}\u{202e}x";
    let document = json!({ "reason": "denied_here", "detail": detail });
    let server = StandIn::start(move |_, _| Reply::Json(403, document.clone()));
    let ran = server.run(&["approve", REQUEST, "--yes"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (2, "", 1), "{ran:?}");
    assert!(ran.stderr.ends_with(" (denied_here)\n"), "{ran:?}");
    assert!(!ran.stderr.contains(['\u{1b}', '\u{9b}', '\r', '\u{2028}', '\u{202e}']), "{ran:?}");
    let long = json!({ "reason": "r", "detail": "é".repeat(1_000_000) });
    let server = StandIn::start(move |_, _| Reply::Json(403, long.clone()));
    assert!(server.run(&["status"]).stderr.len() < 10_000);
    let named =
        json!({ "requests": [with(view("pending"), "/reason", json!("r\nreq_2  pending"))] });
    let server = but("GET", "/v1/requests", Reply::Json(200, named));
    assert_eq!(server.run(&["status"]).done().lines().count(), 1);
    let location = "location: https://sso.example/\u{1b}]0;x\u{7}?code=secret\r\n";
    let server = StandIn::start(move |_, _| Reply::Text(302, location, String::new()));
    let ran = server.run(&["status"]);
    assert!(!ran.stderr.contains(['\u{1b}', '\u{7}']) && !ran.stderr.contains("secret"), "{ran:?}");
}

/// The whole table of `exit.rs`, as far as the service's answers decide.
#[test]
fn each_refusal_has_its_exit_code() {
    for (status, code) in [
        (400, 3),
        (401, 2),
        (403, 2),
        (404, 3),
        (405, 3),
        (409, 2),
        (413, 3),
        (415, 3),
        (429, 1),
        (500, 1),
        (503, 1),
    ] {
        for arguments in [vec!["status", REQUEST], vec!["cancel", REQUEST], vec!["scopes"]] {
            let server = StandIn::start(move |_, _| problem(status, "some_reason"));
            let ran = server.run(&arguments);
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (code, ""),
                "{status} {arguments:?}: {ran:?}"
            );
            assert!(ran.stderr.ends_with("because of some_reason (some_reason)\n"), "{ran:?}");
        }
    }
}

/// A service without the endpoint is older (or it is another path): neither invalid input nor silence.
#[test]
fn a_service_without_the_endpoint_is_named_as_older() {
    let server = StandIn::start(|_, _| problem(404, "not_found"));
    let ran = server.run(&["scopes"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    for words in ["/v1/scopes", "no such endpoint", "newer service", "does not say its version"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    let body = json!({ "reason": "not_found", "detail": "d" }).to_string();
    let headers = "content-type: application/problem+json\r\nbreakglass-version: 0.0.9\r\n";
    let server = StandIn::start(move |_, _| Reply::Text(404, headers, body.clone()));
    let ran = server.run(&["scopes", "--json"]);
    assert_eq!((ran.code, &ran.json()["reason"]), (1, &"not_found".into()), "{ran:?}");
    let words = format!(
        "the service says version 0.0.9, this command line is version {}",
        env!("CARGO_PKG_VERSION")
    );
    assert!(ran.stderr.contains(&words), "{ran:?}");
}

/// With another version of our own service the message is about versions, not about the URL.
#[test]
fn an_answer_of_another_version_is_told_as_one() {
    let headers = "content-type: application/json\r\nbreakglass-version: 9.0.0\r\n";
    let server = StandIn::start(move |_, _| Reply::Text(200, headers, "{\"request\":{}}".into()));
    let ran = server.run(&["status", REQUEST]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("version 9.0.0") && !ran.stderr.contains("--url"), "{ran:?}");
}

#[test]
fn scopes_lists_what_may_be_asked_for() {
    let server = StandIn::start(|_, call| good(call));
    let ran = server.run(&["scopes"]);
    assert_eq!(ran.stdout, "orders:read  prod  at most 1h  read orders  (approvers: bob, carol)\n");
    assert!(ran.stderr.contains("1 more that you may not ask for"), "{ran:?}");
    let ran = server.run(&["scopes", "--all"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines[1],
        "db:admin     staging  at most 30m  -  (you may not ask for it; you may approve it for others)"
    );
    assert_eq!(ran.stderr, "");
    let json = server.run(&["scopes", "--json"]).json();
    assert_eq!(json["scopes"].as_array().unwrap().len(), 2);
    let none = but("GET", "/v1/scopes", Reply::Json(200, json!({ "scopes": [] })));
    let ran = none.run(&["scopes"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stderr.contains("no scope that you may ask for"), "{ran:?}");
}
