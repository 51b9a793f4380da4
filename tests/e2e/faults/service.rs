//! The approval service, or the way to it, is at fault.

use std::time::Duration;

use breakglass_tests::approvals::{FEED, INTROSPECTION, Reply};
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::relay::Relay;
use breakglass_tests::service::Service;
use breakglass_tests::tokens::since_1970;
use breakglass_tests::wait::{during, until};
use serde_json::json;

use super::{Revoked, STALENESS, all, ask, is_permit, news, until_it_is};

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(1);

/// The longest wait between two polls that fail: how late a service that is back is noticed.
const RETRY: Duration = Duration::from_secs(5);

/// How long a poll may take whose answer never comes: two fifths of [`STALENESS`], and a second.
const POLL: Duration = Duration::from_millis(1_800);

fn read(token: &str) -> Request {
    get("/v1/orders").token(token)
}

#[test]
fn a_service_that_is_killed_and_started_again() {
    let mut service = Service::start();
    let gate = Plan::following(&service, "2s").start();
    let (_, good) = service.grant(&["orders:read"], "10m");
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let (late, token_late) = service.grant(&["orders:read"], "10m");
    until_it_is(&gate, &good, "permit");
    service.revoke(&grant);
    let revoked = Revoked(token);
    until_it_is(&gate, &revoked.0, "revoked");

    service.kill();
    let (known, before) = until_it_is(&gate, &good, "revocation_unknown");
    println!("killed: the feed's knowledge counted for {known:?}");
    assert!(before.iter().all(|reason| reason == "permit"), "{before:?}");
    assert!(known < STALENESS + SLACK, "{known:?}");
    revoked.still(&gate);
    let audit = gate.refuses(&read(&token_late), 503, "revocation_unknown").audit;
    assert!(audit.of("epoch_age_ms").as_u64() > Some(2_000), "{}", audit.text);
    assert_eq!(*audit.of("epoch"), 1);

    service.start_again();
    service.revoke(&late);
    let (took, before) = until_it_is(&gate, &good, "permit");
    println!("killed: everything was known again {took:?} after the service was back");
    assert!(before.iter().all(|reason| reason == "revocation_unknown"), "{before:?}");
    assert!(took < RETRY + SLACK, "{took:?}");
    assert_eq!(ask(&gate, &token_late), "revoked");
    revoked.still(&gate);
    gate.has_its_first_vms();
}

#[test]
fn a_network_that_loses_every_packet() {
    let service = Service::start();
    let relay = Relay::start(service.address());
    let gate = Plan::asking(&service)
        .through(relay.address())
        .following_feed("2s")
        .set("/revocation/introspection/cache", json!("0s"))
        .start();
    let (_, good) = service.grant(&["orders:read"], "10m");
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let (late, token_late) = service.grant(&["orders:read"], "10m");
    until_it_is(&gate, &good, "permit");
    service.revoke(&grant);
    let revoked = Revoked(token);
    until_it_is(&gate, &revoked.0, "revoked");
    let stream = Live::begin(Kind::Download, gate.envoy.address(), &token_late);

    relay.lose_packets();
    service.revoke(&late);
    // Until what is known is too old, nobody here can know of the revocation.
    let (known, before) = until_it_is(&gate, &token_late, "revocation_unknown");
    println!("packets lost: the feed's knowledge counted for {known:?}");
    assert!(before.iter().all(|reason| reason == "permit"), "{before:?}");
    assert!(known < STALENESS + SLACK, "{known:?}");
    during(POLL, || {
        assert_eq!(ask(&gate, &good), "revocation_unknown");
        revoked.still(&gate);
    });
    stream.goes_on();

    relay.deliver_packets();
    let from = since_1970();
    let (took, before) = until_it_is(&gate, &token_late, "revoked");
    println!("packets lost: the revocation was known {took:?} after packets got through again");
    assert!(!before.iter().any(|reason| is_permit(reason)), "{before:?}");
    let (took, _) = until_it_is(&gate, &good, "permit");
    println!("packets lost: a good grant counted {took:?} later");
    let cut = stream.ended().at.saturating_sub(from);
    println!("packets lost: what ran under the revoked grant was cut after {cut:?}");
    assert!(cut < RETRY + POLL + SLACK, "{cut:?}");
    revoked.still(&gate);
    gate.has_its_first_vms();
}

/// A gate that follows the stand-in's feed and asks it, too, where that is stale; a grant that the feed
/// revokes.
fn gate() -> (Gate, Revoked) {
    let gate = Plan::standard()
        .following_feed("2s")
        .set("/revocation/introspection/cache", json!("0s"))
        .approvals(FEED, news(0, &[]))
        .start();
    let token = gate.mint();
    until_it_is(&gate, &token.sign(), "permit");
    gate.approvals.reply(FEED, news(5, &[token.grant()]));
    let revoked = Revoked(token.sign());
    until_it_is(&gate, &revoked.0, "revoked");
    (gate, revoked)
}

fn good(gate: &Gate) -> String {
    gate.mint().sign()
}

/// How long the feed takes to say that `grant` is revoked, too.
fn learns(gate: &Gate, revoked: &Revoked, known: &str, epoch: u64) -> Duration {
    let another = gate.mint();
    gate.approvals.reply(FEED, news(epoch, &[known, another.grant()]));
    let (took, _) = until_it_is(gate, &another.sign(), "revoked");
    revoked.still(gate);
    took
}

#[test]
fn a_service_that_is_slow() {
    let (gate, revoked) = gate();
    let late = Duration::from_secs(4);
    gate.approvals.reply(FEED, news(6, &[]).late(late));
    gate.approvals.reply(INTROSPECTION, Reply::json(&json!({"active": true})).late(late));
    let token = good(&gate);
    let (known, before) = until_it_is(&gate, &token, "revocation_unknown");
    println!("slow: the feed's knowledge counted for {known:?}");
    assert!(before.iter().all(|reason| reason == "permit"), "{before:?}");
    assert!(known < STALENESS + SLACK, "{known:?}");
    revoked.still(&gate);
    gate.approvals.reply(INTROSPECTION, Reply::json(&json!({"active": true})));
    let took = learns(&gate, &revoked, "grant-of-somebody", 7);
    println!("slow: a revocation was known {took:?} after the service was quick again");
    assert!(took < RETRY + POLL + SLACK, "{took:?}");
    until_it_is(&gate, &token, "permit");
    gate.has_its_first_vms();
}

#[test]
fn a_service_that_comes_and_goes() {
    let (mut gate, revoked) = gate();
    let period = Duration::from_millis(300);
    for _ in 0..6 {
        gate.approvals.stop();
        during(period, || {
            revoked.still(&gate);
            let reason = ask(&gate, &good(&gate));
            assert!(is_permit(&reason) || reason == "revocation_unknown", "{reason}");
        });
        gate.approvals.start_again();
        during(period, || {
            revoked.still(&gate);
            assert_ne!(ask(&gate, &good(&gate)), "revoked");
        });
    }
    let took = learns(&gate, &revoked, "grant-of-somebody", 7);
    println!("flapping: a revocation was known {took:?} after it was over");
    assert!(took < RETRY + POLL + SLACK, "{took:?}");
    gate.has_its_first_vms();
}

#[test]
fn a_service_that_answers_nonsense() {
    let (gate, revoked) = gate();
    let without_reset = |epoch: u64| {
        let mut answer = all(epoch, &[]);
        answer["reset"] = json!(false);
        Reply::json(&answer)
    };
    let filler = |bytes: usize| {
        let mut body = all(9, &[]).to_string().into_bytes();
        body.resize(body.len() + bytes, b' ');
        Reply::status(200, body)
    };
    let mut epoch = 10;
    for (what, reply) in [
        ("an old answer", news(5, &[])),
        ("a lower epoch", without_reset(3)),
        ("a lower epoch that resets", news(1, &[])),
        ("garbage", Reply::status(200, "\u{0}<html>{{{")),
        ("bytes that are not HTTP", Reply::Bytes(b"\x00\xff garbage\r\n\r\n".into())),
        ("half an answer", Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".into())),
        ("30 MB", filler(30_000_000)),
        ("more than Envoy hands over", filler(34_000_000)),
        ("very deep JSON", Reply::status(200, "[".repeat(1_000_000))),
        ("500 that says nothing is revoked", Reply::status(500, all(9, &[]).to_string())),
    ] {
        let polls = gate.approvals.calls(FEED).len();
        gate.approvals.reply(FEED, reply);
        until("the feed to be asked", || (gate.approvals.calls(FEED).len() > polls).then_some(()));
        for _ in 0..5 {
            revoked.still(&gate);
            let reason = ask(&gate, &good(&gate));
            assert!(is_permit(&reason), "{what}: {reason}, although introspection answers");
        }
        epoch += 1;
        let took = learns(&gate, &revoked, "grant-of-somebody", epoch);
        println!("{what}: a revocation was known {took:?} after it was over");
        assert!(took < RETRY + SLACK, "{what}: {took:?}");
    }
    gate.has_its_first_vms();
}
