//! Receipts count Envoy processes, on three real Envoys with one `node.id`: what is gone or cut off is not taken
//! for what has confirmed, and refuses new requests by itself.

use std::process::Command;
use std::thread;
use std::time::Duration;

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::APPROVER;
use breakglass_tests::service::{Ran, Service};
use breakglass_tests::wait::until;
use serde_json::Value;

fn read(token: &str) -> Request {
    get("/v1/orders/17").token(token)
}

fn proxies(service: &Service) -> Vec<Value> {
    let listed = service.run(APPROVER, &["proxies", "--json"]).json();
    listed["proxies"].as_array().unwrap().clone()
}

/// A process that is stopped as long as this is: nothing that it would do happens, and its connections stay open.
struct Frozen(u32);

impl Frozen {
    fn new(gate: &Gate) -> Frozen {
        let frozen = Frozen(gate.envoy.process_id());
        signal("STOP", frozen.0);
        frozen
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("CONT", self.0);
    }
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "{name} {process}");
}

/// Gates that follow this service, and all know the feed.
fn gates(service: &Service, count: usize, on_unavailable: &str, token: &str) -> Vec<Gate> {
    let start = |_| {
        Plan::following(service, "2s")
            .set("/revocation/on_unavailable", on_unavailable.into())
            .alone()
            .start()
    };
    let gates: Vec<Gate> = (0..count).map(start).collect();
    until("every proxy to be known", || (proxies(service).len() == count).then_some(()));
    for gate in &gates {
        until("the worker to know the feed", || {
            (gate.send(&read(token)).status == 200).then_some(())
        });
    }
    gates
}

fn revoke(service: &Service, grant: &str) -> Ran {
    let arguments = ["revoke", grant, "--reason", "a drill", "--wait", "--timeout", "6s"];
    service.run(APPROVER, &arguments)
}

#[test]
fn a_frozen_proxy_is_not_counted_as_one_that_has_confirmed_and_refuses_when_it_wakes() {
    let mut service = Service::start();
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let (_, other) = service.grant(&["orders:read"], "10m");
    let gates = gates(&service, 3, "deny", &token);
    let known = proxies(&service);
    for proxy in &known {
        assert_eq!(proxy["node"], "gate-test");
        assert_eq!(proxy["same_node"], true, "{proxy}");
        assert_eq!(proxy["on_unavailable"], "deny");
        assert_eq!(proxy["max_staleness_s"], 2);
        assert_eq!(proxy["config"].as_str().map(str::len), Some(64), "{proxy}");
        assert_eq!(proxy["config"], known[0]["config"], "the same configuration");
        assert!(proxy["version"].is_string(), "{proxy}");
    }
    let frozen = Frozen::new(&gates[2]);
    let ran = revoke(&service, &grant);
    assert_eq!(ran.code, 9, "{ran:?}");
    assert!(ran.stderr.contains("2 of 3 at epoch 1, 1 gone or cut off: refuses new"), "{ran:?}");
    assert!(ran.stderr.contains("several live proxies have this node name"), "{ran:?}");
    for gate in &gates[..2] {
        gate.refuses(&read(&token), 401, "revoked");
    }
    // Somebody knows that it is gone.
    let silent: Vec<Value> =
        proxies(&service).into_iter().filter(|one| one["refuses_new_since"].is_string()).collect();
    let [gone] = &silent[..] else { panic!("{silent:?}") };
    let id = gone["process"].as_str().unwrap();
    let forget = ["proxies", "forget", id, "--reason", "the machine is off"];
    assert_eq!(service.run(APPROVER, &forget).done(), "forgotten");
    let ran = revoke(&service, &grant);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("2 of 2 at epoch 1"), "{ran:?}");
    // It was not, and it wakes where the service cannot be reached: what it knew is too old, also for a request
    // that was there before it woke.
    service.kill();
    let waiting = thread::scope(|scope| {
        let early = scope.spawn(|| gates[2].send(&read(&token)));
        thread::sleep(Duration::from_millis(200));
        drop(frozen);
        early.join().unwrap()
    });
    assert_eq!(
        (waiting.status, waiting.json()["reason"].as_str()),
        (503, Some("revocation_unknown"))
    );
    for token in [&token, &other] {
        gates[2].refuses(&read(token), 503, "revocation_unknown");
    }
    // And when it reaches it again it is back.
    service.start_again();
    until("the proxy to be back", || (gates[2].send(&read(&token)).status == 401).then_some(()));
    until("all to be known", || (proxies(&service).len() == 3).then_some(()));
    let ran = revoke(&service, &grant);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("3 of 3 at epoch 1"), "{ran:?}");
}

#[test]
fn a_frozen_proxy_that_lets_pass_what_nobody_can_vouch_for_has_not_confirmed() {
    let service = Service::start();
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let gates = gates(&service, 3, "allow", &token);
    let frozen = Frozen::new(&gates[2]);
    let ran = revoke(&service, &grant);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("2 of 3 at epoch 1, 1 stale for "), "{ran:?}");
    assert!(ran.stderr.contains("on_unavailable: allow"), "{ran:?}");
    drop(frozen);
    until("it to have heard", || (revoke(&service, &grant).code == 0).then_some(()));
}
