//! While the feed is healthy, requests cost the approval service nothing: by its own count, it is
//! asked for keys and for news, and never about a request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::{FEED, INTROSPECTION};
use breakglass_tests::client::{Request, connect, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::json;

/// How long the load lasts: as fast as this machine goes. `scripts/bench calls` proves a rate.
const LOAD: Duration = Duration::from_secs(3);

const CONNECTIONS: usize = 4;

/// Sends requests without a pause: how many were let through.
fn load(gate: &Gate, requests: &[Request]) -> usize {
    let over = AtomicBool::new(false);
    let send = |first: usize| {
        let mut connection = connect(gate.envoy.address());
        let mut sent = 0;
        while !over.load(Ordering::Relaxed) {
            let request = &requests[(first + sent) % requests.len()];
            assert_eq!(request.send_over(&mut connection).status, 200);
            sent += 1;
        }
        sent
    };
    let send = &send;
    thread::scope(|scope| {
        let all: Vec<_> = (0..CONNECTIONS).map(|first| scope.spawn(move || send(first))).collect();
        thread::sleep(LOAD);
        over.store(true, Ordering::Relaxed);
        all.into_iter().map(|one| one.join().unwrap()).sum()
    })
}

#[test]
fn under_load_the_service_hears_polls_of_the_feed_only() {
    let service = Service::start();
    let feed = json!({"cluster": "approvals", "authority": "approvals.internal", "path": FEED});
    let gate = Plan::asking(&service).set("/revocation/feed", feed).workers(2).start();
    let reads: Vec<Request> = (0..8)
        .map(|_| get("/v1/orders/17").token(service.grant(&["orders:read"], "10m").1))
        .collect();
    // Both workers know the keys and the feed: neither would ask about a grant that it sees first.
    for _ in 0..16 {
        until("a worker to know the feed", || {
            (reads[0].send(gate.envoy.address()).status == 200).then_some(())
        });
    }

    let before = service.answered();
    let sent = load(&gate, &reads);
    println!("{sent} requests in {LOAD:?}");
    let mut calls = service.answered();
    calls.retain(|endpoint, count| {
        *count -= before.get(endpoint).copied().unwrap_or(0);
        *count > 0
    });
    // The test's own look at the numbers is one of them.
    calls.remove("/metrics");
    assert!(calls.keys().all(|endpoint| endpoint == FEED), "{calls:?}");
    assert!(sent > 100, "{sent} requests are no load");

    // The counter would have told.
    let asked = service.introspections();
    let question = breakglass_tests::client::request("POST", INTROSPECTION)
        .header("authorization", format!("Bearer {}", breakglass_tests::policy::PROXY_TOKEN))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("token=x");
    assert_eq!(question.send(service.address()).status, 200);
    assert_eq!(service.introspections(), asked + 1);
}
