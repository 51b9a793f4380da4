//! A right configuration update: what waits and what runs under the old configuration goes on if the
//! new one covers it too, and ends if not.

use std::io::Read as _;
use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::{INTROSPECTION, Reply};
use breakglass_tests::bootstrap::Delivery;
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::TRICKLING;
use breakglass_tests::policy::{AUDIENCE, standard};
use breakglass_tests::tokens::now;
use breakglass_tests::wait::{during, timed, until};
use serde_json::{Value, json};

/// The first scope covers invoices now, and orders as before.
fn widened(filter: &mut Value) {
    let paths = filter["scopes"][0]["paths"].as_array_mut().unwrap();
    paths.push(json!("/v1/invoices"));
}

/// The first scope covers invoices now, and nothing else.
fn withdrawn(filter: &mut Value) {
    filter["scopes"][0]["paths"] = json!(["/v1/invoices"]);
}

/// Updates the configuration, and waits until it serves.
fn update(gate: &mut Gate, change: fn(&mut Value)) {
    let mut next = standard(&[&gate.key]);
    change(&mut next);
    gate.envoy.update(&next.to_string());
    let invoices = || get("/v1/invoices").token(gate.mint().sign());
    until("the new configuration", || (gate.send(&invoices()).status == 200).then_some(()));
}

/// What the client gets, and the reason in the record, of a request that waits for the approval
/// service while the configuration changes.
fn waits_through(delivery: Delivery, change: fn(&mut Value)) -> (u16, String) {
    let mut gate = Plan::standard()
        .delivered_by(delivery)
        .set("/revocation/introspection/timeout", json!("10s"))
        .start();
    let active = || Reply::json(&json!({"active": true}));
    gate.still_serves();
    gate.approvals.reply(INTROSPECTION, active().late(Duration::from_secs(3)));
    let request = get("/v1/orders").token(gate.mint().sign());
    let address = gate.envoy.address();
    let waiting = {
        let request = request.clone();
        thread::spawn(move || request.send(address))
    };
    let asked = || gate.approvals.calls(INTROSPECTION).len() == 2;
    until("the question", || asked().then_some(()));
    gate.approvals.reply(INTROSPECTION, active());
    update(&mut gate, change);
    assert!(!waiting.is_finished(), "the update came too late to show anything");
    let status = waiting.join().unwrap().status;
    let record = gate.envoy.record(&request.id);
    gate.has_its_first_vms();
    (status, record.audit().unwrap().text_of("reason").unwrap().to_owned())
}

/// Runs two downloads through an update that covers the first and withdraws the second's scope.
fn runs_through(delivery: Delivery, plan: Plan) -> (Gate, Request, Duration) {
    let mut gate = plan.delivered_by(delivery).start();
    let path = format!("/v1/orders{TRICKLING}");
    let stays = get(&path).token(gate.mint().scope("orders:stay").sign());
    let goes = get(&path).token(gate.mint().sign());
    let mut staying = gate.begin(&stays);
    let mut going = gate.begin(&goes);
    update(&mut gate, |filter| {
        filter["scopes"].as_array_mut().unwrap().push(stay());
        withdrawn(filter);
    });
    let (_, took) = timed(|| going.read_to_end(&mut Vec::new()));
    staying.read_exact(&mut [0; 64]).unwrap();
    (gate, goes, took)
}

/// A scope that stays as it is.
fn stay() -> Value {
    json!({"name": "orders:stay", "methods": ["GET"], "paths": ["/v1/orders/**"]})
}

fn plan() -> Plan {
    Plan::standard().filter(|filter| filter["scopes"].as_array_mut().unwrap().push(stay()))
}

fn cuts_what_an_update_withdraws(delivery: Delivery) {
    let (gate, cut, took) = runs_through(delivery, plan());
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    let record = gate.envoy.record(&cut.id);
    let audit = record.audit().unwrap();
    assert_eq!(audit.text_of("decision"), Some("cut"), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some("scope_withdrawn"));
    assert_eq!(record.details(), "breakglass_scope_withdrawn");
    gate.has_its_first_vms();
}

#[test]
fn a_stream_is_cut_when_a_listener_update_withdraws_its_scope() {
    cuts_what_an_update_withdraws(Delivery::Listener);
}

#[test]
fn a_stream_is_cut_when_an_extension_update_withdraws_its_scope() {
    cuts_what_an_update_withdraws(Delivery::Extension);
}

#[test]
fn a_stream_whose_scope_lets_it_finish_has_its_time() {
    let finishing =
        plan().set("/scopes/0/cut", json!("finish")).set("/scopes/0/drain", json!("2s"));
    let (gate, cut, took) = runs_through(Delivery::Extension, finishing);
    assert!(took > Duration::from_millis(1_000), "{took:?}");
    assert!(took < Duration::from_millis(4_500), "{took:?}");
    assert_eq!(gate.envoy.record(&cut.id).details(), "breakglass_scope_withdrawn");
}

#[test]
fn a_request_that_waits_through_a_listener_update_gets_its_answer() {
    assert_eq!(waits_through(Delivery::Listener, widened), (200, "permit".to_owned()));
}

#[test]
fn a_request_that_waits_through_an_extension_update_gets_its_answer() {
    assert_eq!(waits_through(Delivery::Extension, widened), (200, "permit".to_owned()));
}

#[test]
fn a_request_that_waits_through_an_update_that_withdraws_its_scope_is_refused() {
    let refused = (403, "scope_withdrawn".to_owned());
    assert_eq!(waits_through(Delivery::Extension, withdrawn), refused);
}

#[test]
fn a_stream_is_cut_when_an_update_no_longer_takes_its_audience() {
    let mut gate = Plan::standard().delivered_by(Delivery::Extension).start();
    let path = format!("/v1/orders{TRICKLING}");
    let both = gate.mint().claim("aud", json!([AUDIENCE, "payments-next"])).sign();
    let stays = get(&path).token(both.clone());
    let goes = get(&path).token(gate.mint().sign());
    let mut staying = gate.begin(&stays);
    let mut going = gate.begin(&goes);
    let mut next = standard(&[&gate.key]);
    next["issuers"][0]["audiences"] = json!(["payments-next"]);
    widened(&mut next);
    gate.envoy.update(&next.to_string());
    let invoices = || get("/v1/invoices").token(both.clone());
    until("the new configuration", || (gate.send(&invoices()).status == 200).then_some(()));
    let (_, took) = timed(|| going.read_to_end(&mut Vec::new()));
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    staying.read_exact(&mut [0; 64]).unwrap();
    let record = gate.envoy.record(&goes.id);
    let audit = record.audit().unwrap();
    assert_eq!(audit.text_of("decision"), Some("cut"), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some("scope_withdrawn"));
    let said =
        || gate.envoy.log().contains("(scope_withdrawn, or scope_changed): 1 by audience_mismatch");
    until("the line in the log", || said().then_some(()));
    gate.has_its_first_vms();
}

#[test]
fn a_stream_outlives_an_update_though_its_sign_in_has_grown_old() {
    let fresh = |filter: &mut Value| {
        filter["scopes"][0]["require"] = json!({"max_auth_age": "1s"});
    };
    let mut gate = Plan::standard().delivered_by(Delivery::Extension).filter(fresh).start();
    let now = now();
    let signed_in = gate.mint().claim("auth_time", now).sign();
    let request = get(format!("/v1/orders{TRICKLING}")).token(signed_in.clone());
    let mut running = gate.begin(&request);
    // The age, and the skew of five seconds.
    thread::sleep(Duration::from_millis(7_000));
    assert_eq!(gate.send(&get("/v1/orders").token(signed_in)).status, 401);
    let mut next = standard(&[&gate.key]);
    fresh(&mut next);
    next["scopes"].as_array_mut().unwrap().push(stay());
    gate.envoy.update(&next.to_string());
    let stays = || get("/v1/orders/7").token(gate.mint().scope("orders:stay").sign());
    until("the new configuration", || (gate.send(&stays()).status == 200).then_some(()));
    // The bytes that had come before are read first; a cut would be the end behind them.
    during(Duration::from_secs(1), || running.read_exact(&mut [0; 16]).unwrap());
    gate.has_its_first_vms();
}
