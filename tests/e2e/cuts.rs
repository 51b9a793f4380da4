//! Ending what runs, as real clients see it: within a quarter of a second of the revocation, by the
//! real approval service, and of the end of the grant.

use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::{FEED, INTROSPECTION, Reply};
use breakglass_tests::client::{Answer, Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{End, Kind, Live};
use breakglass_tests::record::Record;
use breakglass_tests::service::Service;
use breakglass_tests::tokens::{end_of, now, since_1970};
use breakglass_tests::upstream::HANGING;
use breakglass_tests::wait::until;
use serde_json::json;

/// How long a stream may outlive its grant. `delayed_close_timeout`, 100 ms in `envoy/envoy.yaml` and
/// here, is part of it where a connection has to be closed.
const CUT: Duration = Duration::from_millis(250);

pub(crate) const SCOPES: [&str; 2] = ["orders:read", "grpc:call"];

/// A gate that follows the real feed, and knows it.
pub(crate) fn following(service: &Service) -> Gate {
    let gate = Plan::following(service, "10s").set("/clock_skew", json!("0s")).alone().start();
    let (_, token) = service.grant(&SCOPES, "10m");
    until("the feed to be known", || {
        (gate.send(&get("/v1/orders").token(&token)).status == 200).then_some(())
    });
    gate
}

/// One stream of each kind.
pub(crate) fn one_of_each(gate: &Gate, token: &str) -> Vec<Live> {
    Kind::ALL.map(|kind| Live::begin(kind, gate.envoy.address(), token)).into()
}

/// Asserts that each stream was ended in time after `from`, and is recorded as cut.
fn assert_cut_in_time(gate: &Gate, streams: &[Live], from: Duration, reason: &str) {
    let ends: Vec<(&Live, End)> = streams.iter().map(|stream| (stream, stream.ended())).collect();
    for (stream, end) in &ends {
        let took = end.at.checked_sub(from);
        println!("{reason}: {:?} ended after {took:?}: {}", stream.kind, end.how);
    }
    for (stream, end) in &ends {
        let took = end.at.checked_sub(from).unwrap();
        assert!(took <= CUT, "{:?} took {took:?}", stream.kind);
        let status = if stream.kind == Kind::WebSocket { 101 } else { 200 };
        let record = gate.envoy.record(&stream.id);
        assert_cut(&record, reason, status);
        let after = record.audit().unwrap().of("bytes_after_revocation").clone();
        assert_eq!(after.is_u64(), reason == "revoked", "{after}");
    }
}

pub(crate) fn assert_cut(record: &Record, reason: &str, status: u64) {
    let audit = record.audit().unwrap();
    assert!(audit.is_complete(), "{}", audit.text);
    assert_eq!(audit.text_of("decision"), Some("cut"), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some(reason));
    assert_eq!(*audit.of("status"), status);
    assert_eq!(record.details(), format!("breakglass_{reason}"));
}

#[test]
fn every_kind_of_stream_ends_with_its_revocation_and_no_other_does() {
    let service = Service::start();
    let gate = following(&service);
    let (grant, token) = service.grant(&SCOPES, "10m");
    let (_, other) = service.grant(&SCOPES, "10m");
    let streams = one_of_each(&gate, &token);
    let others = one_of_each(&gate, &other);
    let waiting = get(format!("/v1/orders{HANGING}")).token(&token);
    thread::scope(|scope| {
        let answered = scope.spawn(|| (gate.send(&waiting), since_1970()));
        until("the upstream to be asked", || gate.upstream.saw(&waiting.id));
        streams.iter().chain(&others).for_each(Live::goes_on);
        let from = since_1970();
        service.revoke(&grant);
        let (answer, at) = answered.join().unwrap();
        assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("revoked")));
        assert!(at.checked_sub(from).unwrap() <= CUT);
        assert_cut_in_time(&gate, &streams, from, "revoked");
    });
    assert_cut(&gate.envoy.record(&waiting.id), "revoked", 401);
    others.iter().for_each(Live::goes_on);
    gate.refuses(&get("/v1/orders").token(&token), 401, "revoked");
    gate.allows(&get("/v1/orders").token(&other));
    gate.has_its_first_vms();
}

#[test]
fn every_kind_of_stream_ends_with_its_grant_and_no_other_does() {
    let service = Service::start();
    let gate = following(&service);
    let (_, other) = service.grant(&SCOPES, "10m");
    let others = one_of_each(&gate, &other);
    let (_, token) = service.grant(&SCOPES, "4s");
    let streams = one_of_each(&gate, &token);
    streams.iter().for_each(Live::goes_on);
    let ends = Duration::from_secs(end_of(&token));
    assert_cut_in_time(&gate, &streams, ends, "token_expired");
    others.iter().for_each(Live::goes_on);
    gate.has_its_first_vms();
}

/// Sends a request that has to wait: its answer, and when it came.
fn waits(gate: &Gate, request: &Request) -> (Answer, Duration) {
    let answer = gate.send(request);
    (answer, since_1970())
}

/// A gate whose feed fails and whose introspection is never answered.
fn without_answers() -> Gate {
    Plan::standard()
        .following_feed("10s")
        .set("/clock_skew", json!("0s"))
        .set("/revocation/introspection/timeout", json!("10s"))
        .approvals(FEED, Reply::status(503, "{}"))
        .approvals(INTROSPECTION, Reply::Never)
        .start()
}

#[test]
fn a_request_that_waits_for_a_call_ends_with_its_revocation() {
    let gate = without_answers();
    let token = gate.mint();
    let request = get("/v1/orders").token(token.sign());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| waits(&gate, &request));
        until("the question", || gate.approvals.calls(INTROSPECTION).pop());
        let revoked = json!([{"jti": token.grant(), "exp": now() + 600}]);
        let news = json!({"epoch": 1, "revoked": revoked, "reset": true, "feed": "f"});
        let polls = gate.approvals.calls(FEED).len();
        gate.approvals.reply(FEED, Reply::json(&news));
        until("the worker to ask", || (gate.approvals.calls(FEED).len() > polls).then_some(()));
        let from = since_1970();
        let (answer, at) = waiting.join().unwrap();
        assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("revoked")));
        let took = at.saturating_sub(from);
        println!("a request that waited for a call was refused after {took:?}");
        assert!(took <= CUT, "{took:?}");
    });
    let audit = gate.envoy.record(&request.id).audit().unwrap().clone();
    assert_eq!(audit.text_of("reason"), Some("revoked"), "{}", audit.text);
    assert!(gate.upstream.saw(&request.id).is_none());
}

#[test]
fn a_request_whose_grant_ends_while_it_waits_for_a_call_is_refused() {
    let late = Duration::from_millis(800);
    let gate = without_answers();
    let active = Reply::json(&json!({"active": true}));
    gate.approvals.reply(INTROSPECTION, active.late(late));
    let ends = now() + 2;
    let token = gate.mint().claim("iat", now()).claim("exp", ends).sign();
    let request = get("/v1/orders").token(token);
    let ends = Duration::from_secs(ends);
    until("the end to be near", || (since_1970() + late / 2 > ends).then_some(()));
    let (answer, at) = waits(&gate, &request);
    assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("token_expired")));
    assert!(at <= ends + late + CUT, "{:?}", at.checked_sub(ends));
    let audit = gate.envoy.record(&request.id).audit().unwrap().clone();
    assert_eq!(audit.text_of("reason"), Some("token_expired"), "{}", audit.text);
    assert!(gate.upstream.saw(&request.id).is_none());
}
