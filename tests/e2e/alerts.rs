//! Alerts of the filter, as they arrive at a collector: soon after what caused them, with what is known of it; and
//! whatever the collector does, no request notices.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::approvals::{Call, Reply};
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::{AUDIENCE, INCIDENT, ISSUER, PROXY_TOKEN, SUBJECT};
use breakglass_tests::wait::{now, timed, until};
use serde_json::{Value, json};

const ALERTS: &str = "/v1/alerts";

/// How late an alert may be on a busy machine: on a quiet one it is 0.3 s.
const LATE: Duration = Duration::from_secs(5);

fn taken() -> Reply {
    Reply::json(&json!({"accepted": 1, "dropped": 0}))
}

fn plan() -> Plan {
    let alerts = json!({"cluster": "approvals", "authority": "approvals.internal", "path": ALERTS,
        "timeout": "500ms"});
    Plan::standard().set("/alerts", alerts).approvals(ALERTS, taken())
}

fn body(call: &Call) -> Value {
    serde_json::from_str(&call.body).unwrap()
}

/// The alerts of these reports, each with when it came.
fn alerts(calls: &[Call]) -> Vec<(Value, Instant)> {
    let of = |call: &Call| {
        let alerts = body(call)["alerts"].as_array().unwrap().clone();
        alerts.into_iter().map(|alert| (alert, call.at)).collect::<Vec<_>>()
    };
    calls.iter().flat_map(of).collect()
}

/// Waits for an alert of this kind.
fn until_told(gate: &Gate, kind: &str) -> Value {
    until(&format!("an alert {kind}"), || {
        let alerts = alerts(&gate.approvals.calls(ALERTS));
        alerts.into_iter().find(|(alert, _)| alert["kind"] == kind).map(|(alert, _)| alert)
    })
}

fn counted(gate: &Gate, name: &str) -> u64 {
    gate.envoy.stats().of(&format!("wasmcustom.breakglass.{name}"))
}

/// Requests under new grants that no scope covers, some time apart: when each was sent, by its grant.
fn offend(gate: &Gate, number: usize, apart: Duration) -> BTreeMap<String, Instant> {
    let mut sent = BTreeMap::new();
    for _ in 0..number {
        let mint = gate.mint();
        let request = get("/v1/invoices").token(mint.sign());
        sent.insert(mint.grant().to_owned(), now());
        assert_eq!(gate.send(&request).status, 403);
        thread::sleep(apart);
    }
    sent
}

#[test]
fn what_a_person_should_hear_of_is_at_the_collector_in_a_moment() {
    let gate = plan().alone().start();
    let mint = gate.mint();
    let request = get("/v1/orders?customer=7").token(mint.sign());
    gate.allows(&request);
    let told = until_told(&gate, "first_use");
    for (member, value) in [
        ("grant", mint.grant()),
        ("issuer", ISSUER),
        ("subject", SUBJECT),
        ("audience", AUDIENCE),
        ("incident", INCIDENT),
        ("scope", "orders:read"),
        ("path", "/v1/orders"),
        ("source_ip", "127.0.0.1"),
        ("request_id", request.id.as_str()),
    ] {
        assert_eq!(told[member], value, "{told}");
    }
    let call = gate.approvals.calls(ALERTS).remove(0);
    assert_eq!(call.headers["authorization"], format!("Bearer {PROXY_TOKEN}"));
    assert_eq!(body(&call)["process"].as_str().unwrap().len(), 32);
    assert!(!call.body.contains(PROXY_TOKEN) && !call.body.contains(&mint.sign()));

    // Each new grant is an alert of its own, whenever it comes.
    let sent = offend(&gate, 200, Duration::from_millis(20));
    let came: BTreeMap<String, Instant> = until("each of 200 alerts", || {
        let alerts = alerts(&gate.approvals.calls(ALERTS)).into_iter();
        let alerts = alerts.filter(|(alert, _)| alert["kind"] == "out_of_scope");
        let came: BTreeMap<_, _> =
            alerts.map(|(alert, at)| (alert["grant"].as_str().unwrap().to_owned(), at)).collect();
        sent.keys().all(|grant| came.contains_key(grant)).then_some(came)
    });
    let mut took: Vec<_> = sent.iter().map(|(grant, at)| came[grant] - *at).collect();
    took.sort();
    println!("from the request to the collector: p50 {:?}, p99 {:?}", took[99], took[197]);
    assert!(took[197] < LATE, "{took:?}");
    let calls = gate.approvals.calls(ALERTS);
    let apart = calls.windows(2).map(|pair| pair[1].at - pair[0].at).min().unwrap();
    println!("{} reports, at least {apart:?} apart", calls.len());
    assert!(calls.len() < 100, "they are batched");

    // Strangers: nothing is told of what they say but the key and the issuer.
    let forged = gate.mint().claim("sub", "mallory").sign_with(|_| vec![0; 64]);
    for _ in 0..25 {
        gate.refuses(&get("/v1/orders").token(&forged), 401, "signature_invalid");
    }
    let told = until_told(&gate, "signature_failures");
    assert!(told["count"].as_u64() >= Some(21), "{told}");
    assert_eq!(told["unverified"], json!({"kid": gate.key.kid(), "issuer": ISSUER}));
    assert!(gate.approvals.calls(ALERTS).iter().all(|call| !call.body.contains("mallory")));
    until("the counters", || (counted(&gate, "alerts.result.sent") >= 202).then_some(()));
    gate.has_its_first_vms();
}

/// Whatever becomes of reports, a request is judged as always.
fn serves_as_always(gate: &Gate) -> usize {
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    gate.passes(&get("/v1/orders"));
    offend(gate, 1, Duration::ZERO).len() + 1
}

#[test]
fn whatever_the_collector_does_no_request_notices_and_what_is_dropped_is_counted() {
    let mut gate = plan().alone().start();
    let mut caused = 0;
    let failures = |gate: &Gate, at_least: u64| {
        until("a report that failed", || {
            (counted(gate, "alert_report.result.failed") >= at_least).then_some(())
        });
    };
    let bad = [
        ("500", Reply::status(500, "")),
        ("garbage", Reply::status(200, "<html>")),
        ("no HTTP", Reply::Bytes(b"\0\xff\r\n\r\n".to_vec())),
        ("silent", Reply::Never),
    ];
    for (number, (what, reply)) in (1..).zip(bad) {
        gate.approvals.reply(ALERTS, reply);
        let (offended, took) = timed(|| serves_as_always(&gate));
        println!("{what}: {took:?}");
        caused += offended;
        failures(&gate, number);
    }
    // More than the queue holds, while nothing answers.
    caused += offend(&gate, 300, Duration::ZERO).len();
    gate.approvals.stop();
    let before = gate.approvals.calls(ALERTS).len();
    caused += offend(&gate, 10, Duration::ZERO).len();
    gate.approvals.reply(ALERTS, taken());
    gate.approvals.start_again();
    let (told, dropped) = until("all that happened, told or counted", || {
        let calls = gate.approvals.calls(ALERTS).split_off(before);
        let told: u64 =
            alerts(&calls).iter().map(|(alert, _)| alert["count"].as_u64().unwrap()).sum();
        let dropped: u64 = calls.iter().map(|call| body(call)["dropped"].as_u64().unwrap()).sum();
        (told + dropped >= caused as u64).then_some((told, dropped))
    });
    println!("of {caused}: {told} told, {dropped} dropped");
    assert_eq!(told + dropped, caused as u64);
    assert!(dropped > 50 && told > 80);
    assert_eq!(counted(&gate, "alerts.result.dropped"), dropped);
    until("the counter", || (counted(&gate, "alerts.result.sent") == told).then_some(()));
    gate.has_its_first_vms();
}

#[test]
fn a_vm_that_takes_the_place_of_one_that_crashed_says_so() {
    let gate = plan().panicking().own_clock().start();
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    until_told(&gate, "first_use");
    gate.envoy.set_clock(120);
    assert_eq!(gate.send(&get("/anything").header("x-panic-on-purpose", "request")).status, 503);
    until("another VM", || (gate.send(&get("/anything")).status == 200).then_some(()));
    let told = until_told(&gate, "chain_restarted");
    assert!(
        told["detail"].as_str().unwrap().contains("a VM of the filter was restarted"),
        "{told}"
    );
}
