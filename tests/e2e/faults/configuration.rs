//! The configuration changes under way: what runs, what waits and what was learnt outlive it.

use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::{FEED, INTROSPECTION, Reply};
use breakglass_tests::bootstrap::Delivery;
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::service::Service;
use breakglass_tests::tokens::since_1970;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use super::{ask, is_permit, news, until_it_is};

/// How long what runs under the old configuration may outlive its grant.
const CUT: Duration = Duration::from_millis(250);

/// The configuration that a plan makes, with a path in its first scope by which it is known, and the
/// gate that has it without.
fn changing(plan: Plan, delivery: Delivery) -> (Gate, String) {
    let mut changed = Value::Null;
    let plan = plan.delivered_by(delivery).filter(|filter| {
        changed = filter.clone();
        changed["scopes"][0]["paths"].as_array_mut().unwrap().push(json!("/v1/invoices"));
    });
    (plan.start(), changed.to_string())
}

fn until_it_changed(gate: &Gate, token: &str) {
    until("the new configuration", || {
        let invoices = get("/v1/invoices").token(token);
        let status = gate.send(&invoices).status;
        assert!([200, 403, 503].contains(&status), "{status}");
        (status == 200).then_some(())
    });
}

/// Polls hang all the time: the service has nothing to say.
fn what_runs_through_an_update_is_cut(delivery: Delivery) {
    let service = Service::start();
    let (mut gate, changed) = changing(Plan::following(&service, "10s"), delivery);
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let (_, good) = service.grant(&["orders:read"], "10m");
    until_it_is(&gate, &good, "permit");
    let to = gate.envoy.address();
    let before = Live::begin(Kind::Download, to, &token);
    let others = [Live::begin(Kind::Download, to, &good), Live::begin(Kind::Http2, to, &good)];
    gate.envoy.update(&changed);
    until_it_changed(&gate, &good);
    let after = Live::begin(Kind::Download, to, &token);
    before.goes_on();

    let from = since_1970();
    service.revoke(&grant);
    for (what, stream) in [("before", before), ("after", after)] {
        let took = stream.ended().at.checked_sub(from).unwrap();
        println!("{delivery:?}: a stream from {what} the update was cut after {took:?}");
        assert!(took < CUT, "{took:?}");
        let audit = gate.envoy.record(&stream.id).audit().unwrap().clone();
        assert_eq!(audit.text_of("decision"), Some("cut"), "{}", audit.text);
        assert_eq!(audit.text_of("reason"), Some("revoked"), "{}", audit.text);
    }
    until_it_is(&gate, &token, "revoked");
    assert_eq!(ask(&gate, &good), "permit");
    others.iter().for_each(Live::goes_on);
    gate.has_its_first_vms();
}

#[test]
fn what_runs_through_a_listener_update_is_cut() {
    what_runs_through_an_update_is_cut(Delivery::Listener);
}

#[test]
fn what_runs_through_an_extension_update_is_cut() {
    what_runs_through_an_update_is_cut(Delivery::Extension);
}

#[test]
fn a_request_that_waits_through_an_update_is_refused_when_its_grant_is_revoked() {
    let plan = Plan::standard()
        .following_feed("10s")
        .set("/revocation/introspection/timeout", json!("10s"))
        .approvals(FEED, Reply::status(503, "{}"));
    let (mut gate, changed) = changing(plan, Delivery::Extension);
    gate.approvals.reply(INTROSPECTION, Reply::Never);
    let minted = gate.mint();
    let (grant, token) = (minted.grant().to_owned(), minted.sign());
    let request = get("/v1/orders").token(&token);
    let address = gate.envoy.address();
    let waiting = {
        let request = request.clone();
        thread::spawn(move || request.send(address))
    };
    until("the question", || gate.approvals.calls(INTROSPECTION).pop());
    gate.approvals.reply(INTROSPECTION, Reply::json(&json!({"active": true})));
    gate.envoy.update(&changed);
    until_it_changed(&gate, &gate.mint().sign());
    assert!(!waiting.is_finished(), "the update came too late to show anything");
    gate.approvals.reply(FEED, news(1, &[&grant]));
    let answer = waiting.join().unwrap();
    assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("revoked")));
    assert!(gate.upstream.saw(&request.id).is_none());
    until_it_is(&gate, &token, "revoked");
    gate.has_its_first_vms();
}

/// How long a filter that was put back takes to know the feed.
const BACK: Duration = Duration::from_secs(2);

#[test]
fn a_filter_that_is_removed_and_put_back() {
    let service = Service::start();
    let (mut gate, changed) = changing(Plan::following(&service, "10s"), Delivery::Listener);
    let (_, good) = service.grant(&["orders:read"], "10m");
    let (early, token_early) = service.grant(&["orders:read"], "10m");
    let (late, token_late) = service.grant(&["orders:read"], "10m");
    until_it_is(&gate, &good, "permit");
    service.revoke(&early);
    until_it_is(&gate, &token_early, "revoked");
    let stream = Live::begin(Kind::Download, gate.envoy.address(), &token_late);

    gate.envoy.remove_filter();
    // Where the filter is not, nothing of it is: whoever relies on it alone is open now.
    let unguarded = || gate.send(&get("/admin/users")).status;
    until("the filter to be gone", || (unguarded() == 200).then_some(()));
    assert_eq!(gate.send(&get("/guarded/x").token(&good)).status, 403, "no permit, no way in");
    // What it let through before is still its business.
    let from = since_1970();
    service.revoke(&late);
    let cut = stream.ended().at.checked_sub(from).unwrap();
    println!("filter removed: what ran under it was cut after {cut:?}");
    assert!(cut < CUT, "{cut:?}");

    gate.envoy.update(&changed);
    until("the filter to be back", || {
        (gate.send(&get("/admin/users")).status == 401).then_some(())
    });
    let from = since_1970();
    let mut said = Vec::new();
    until("the filter to know the feed", || {
        said.extend([ask(&gate, &token_early), ask(&gate, &token_late)]);
        assert!(!said.iter().any(|reason| is_permit(reason)), "{said:?}");
        let known = said.iter().rev().take(2).all(|reason| reason == "revoked");
        (known && ask(&gate, &good) == "permit").then_some(())
    });
    let took = since_1970().saturating_sub(from);
    println!("filter put back: all was known again after {took:?}");
    assert!(took < BACK, "{took:?}");
}
