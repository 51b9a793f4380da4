//! The approval service is down, slow or broken: what happens is what was configured, within the
//! timeout, and never an allow by accident.

use std::time::Duration;

use breakglass_tests::approvals::{INTROSPECTION, Reply};
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::wait::{timed, until};
use serde_json::json;

/// The introspection timeout is 500 ms; the rest is a busy machine.
const BOUND: Duration = Duration::from_millis(2500);

/// Every kind of answer that is not one. More of what is JSON is in the tests of the core and of the types
/// (`crates/types/src/introspection.rs`).
fn no_answers() -> Vec<(&'static str, Reply)> {
    let ok = |body: &'static str| Reply::status(200, body);
    vec![
        ("no answer at all", Reply::Never),
        ("an answer after the timeout", ok(r#"{"active":true}"#).late(Duration::from_secs(3))),
        ("bytes that are not HTTP", Reply::Bytes(b"\x00\xff\x16\x03\x01 garbage\r\n\r\n".into())),
        ("a closed connection", Reply::Bytes(Vec::new())),
        (
            "half an answer",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"ac".into()),
        ),
        ("500 that says active", Reply::status(500, r#"{"active":true}"#)),
        ("404 that says inactive", Reply::status(404, r#"{"active":false}"#)),
        ("an empty 200", ok("")),
        ("a page", ok("<html>active: true</html>")),
        ("another grant", ok(r#"{"active":true,"jti":"grant-of-mallory"}"#)),
        ("bytes that are not UTF-8", Reply::status(200, b"{\"active\":true,\"x\":\"\xff\"}")),
        ("very deep JSON", Reply::status(200, "[".repeat(100_000))),
    ]
}

/// A request under a token of its own, from before the proxy started: one that is issued later is never let through
/// unverified.
fn fresh(gate: &Gate) -> Request {
    get("/v1/orders").token(gate.mint().issued(60, 900).sign())
}

#[test]
fn denies_where_told_to_whatever_the_service_answers() {
    let gate = Gate::standard();
    for (what, reply) in no_answers() {
        println!("{what}");
        gate.approvals.reply(INTROSPECTION, reply);
        let request = fresh(&gate);
        let (_, took) = timed(|| gate.refuses(&request, 503, "revocation_unknown"));
        assert!(took < BOUND, "{what}: {took:?}");
    }
    gate.approvals.reply(INTROSPECTION, Reply::json(&json!({"active": true})));
    gate.still_serves();
}

#[test]
fn allows_where_told_to_whatever_the_service_answers_and_says_that_it_did_not_know() {
    let gate = Plan::standard().set("/revocation/on_unavailable", json!("allow")).start();
    for (what, reply) in no_answers() {
        println!("{what}");
        gate.approvals.reply(INTROSPECTION, reply);
        let request = fresh(&gate);
        let (_, took) = timed(|| gate.allows_unverified(&request));
        assert!(took < BOUND, "{what}: {took:?}");
    }
    gate.approvals.reply(INTROSPECTION, Reply::json(&json!({"active": false})));
    gate.refuses(&fresh(&gate), 401, "revoked");
}

#[test]
fn denies_where_told_to_while_the_service_is_down_and_allows_when_it_is_back() {
    let mut gate = Gate::standard();
    gate.approvals.stop();
    let request = fresh(&gate);
    let (_, took) = timed(|| gate.refuses(&request, 503, "revocation_unknown"));
    assert!(took < BOUND, "{took:?}");
    gate.approvals.start_again();
    gate.still_serves();
}

#[test]
fn allows_where_told_to_while_the_service_is_down() {
    let gate =
        Plan::standard().set("/revocation/on_unavailable", json!("allow")).approvals_down().start();
    gate.allows_unverified(&fresh(&gate));
}

#[test]
fn denies_where_told_to_if_there_is_no_such_cluster() {
    let gate = Plan::standard().set("/revocation/introspection/cluster", json!("ghost")).start();
    gate.refuses(&fresh(&gate), 503, "revocation_unknown");
    gate.passes(&get("/v1/orders"));
    gate.has_its_first_vms();
}

#[test]
fn being_told_to_allow_ends_and_never_begins_for_what_was_issued_later() {
    let gate = Plan::standard()
        .set("/revocation/on_unavailable", json!("allow"))
        .set("/revocation/unavailable_for", json!("15s"))
        .approvals_down()
        .start();
    // `iat` is in whole seconds: one of the second in which the proxy started is not later.
    std::thread::sleep(Duration::from_millis(1100));
    let later = get("/v1/orders").token(gate.mint().issued(0, 900).sign());
    gate.refuses(&later, 503, "revocation_unknown");
    gate.allows_unverified(&fresh(&gate));
    until("allow to have ended", || {
        let answer = gate.send(&fresh(&gate));
        String::from_utf8_lossy(&answer.body).contains("revocation_unknown").then_some(())
    });
    let request = fresh(&gate);
    let refused = gate.refuses(&request, 503, "revocation_unknown");
    assert_eq!(refused.audit.text_of("revocation_source"), Some("unavailable"));
    let detail = gate.send(&request).json()["detail"].to_string();
    assert!(detail.contains("known nothing of revocations since 20"), "{detail}");
}

#[test]
fn a_scope_has_the_last_word_on_what_happens_in_an_outage() {
    let gate =
        Plan::standard().set("/scopes/0/on_unavailable", json!("allow")).approvals_down().start();
    gate.allows_unverified(&fresh(&gate));
    let ledger = |gate: &Gate| {
        get("/v1/ledger/x").token(gate.mint().issued(60, 900).scope("ledger:all").sign())
    };
    gate.refuses(&ledger(&gate), 503, "revocation_unknown");
}

#[test]
fn an_outage_does_not_touch_requests_without_a_token() {
    let gate = Plan::standard().approvals_down().start();
    gate.passes(&get("/v1/orders"));
}
