//! Several workers: each has a VM of its own, which knows what it needs without the others.

use std::thread;

use breakglass_tests::approvals::{INTROSPECTION, KEYS, Reply};
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::stats::Stats;
use breakglass_tests::wait::until;
use serde_json::json;

const WORKERS: usize = 4;

fn gate() -> Gate {
    Plan::standard().workers(4).remote_keys_only("300s").start()
}

/// Sends requests, each on a connection of its own, until every worker has had some more.
fn until_every_worker_served(gate: &Gate, what: &str, send: impl Fn()) {
    let before = served(&gate.envoy.stats());
    until(what, || {
        send();
        let now = served(&gate.envoy.stats());
        let all = now.iter().zip(&before).all(|(now, before)| now > before);
        all.then_some(())
    });
}

/// How many connections each worker took.
fn served(stats: &Stats) -> [u64; WORKERS] {
    let mut served = [0; WORKERS];
    for (worker, count) in served.iter_mut().enumerate() {
        *count = stats.ending_with(&format!(".worker_{worker}.downstream_cx_total"));
    }
    served
}

#[test]
fn every_worker_fetches_the_keys_allows_and_refuses() {
    let gate = gate();
    let token = gate.mint().sign();
    until_every_worker_served(&gate, "every worker to allow", || {
        gate.allows(&get("/v1/orders").token(&token));
    });
    // Each asked once, and none of them twice. (Envoy's main thread has a VM too, which fetches
    // keys and has no requests.)
    assert_eq!(gate.approvals.calls(INTROSPECTION).len(), WORKERS);
    assert!(gate.approvals.calls(KEYS).len() >= WORKERS);
    until_every_worker_served(&gate, "every worker to refuse", || {
        gate.refuses(&get("/v1/invoices").token(&token), 403, "out_of_scope");
    });
    until_every_worker_served(&gate, "every worker to protect", || {
        gate.refuses(&get("/admin/users"), 401, "token_missing");
    });
    gate.has_its_first_vms();
}

#[test]
fn the_counters_of_all_workers_add_up() {
    let gate = gate();
    let clients = 8;
    let each = 25;
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                for _ in 0..each {
                    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
                    gate.passes(&get("/v1/orders"));
                }
            });
        }
    });
    gate.counts("allow", "permit", clients * each);
    gate.counts("pass", "no_token", clients * each);
    gate.has_its_first_vms();
}

#[test]
fn every_worker_notices_a_revocation() {
    let gate =
        Plan::standard().workers(4).set("/revocation/introspection/cache", json!("1s")).start();
    let token = gate.mint().sign();
    until_every_worker_served(&gate, "every worker to allow", || {
        gate.allows(&get("/v1/orders").token(&token));
    });
    gate.approvals.reply(INTROSPECTION, Reply::json(&json!({"active": false})));
    until_every_worker_served(&gate, "every worker to know", || {
        until("a refusal", || {
            (gate.send(&get("/v1/orders").token(&token)).status == 401).then_some(())
        });
    });
}
