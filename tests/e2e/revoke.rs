//! Ending a grant with the real service and command line: known everywhere at once, and final.

use std::io::Read;

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::TRICKLING;
use breakglass_tests::policy::{APPROVER, SUBJECT};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;

fn read(token: &str) -> Request {
    get("/v1/orders/17").token(token)
}

/// A gate that follows the real feed and asks nobody.
fn following(service: &Service) -> Gate {
    let gate = Plan::following(service, "10s").workers(4).start();
    until("a proxy to be known", || {
        let proxies = service.run(APPROVER, &["proxies", "--json"]).json();
        (!proxies["proxies"].as_array()?.is_empty()).then_some(())
    });
    gate
}

#[test]
fn a_revocation_is_known_to_every_worker_at_once_and_cuts_what_runs() {
    let service = Service::start();
    let gate = following(&service);
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let (_, other) = service.grant(&["orders:read"], "10m");
    until("the workers to know the feed", || {
        let known = (0..16).all(|_| gate.send(&read(&token)).status == 200);
        known.then_some(())
    });
    let begin = |token: &str| gate.begin(&get(format!("/v1/orders{TRICKLING}")).token(token));
    let mut running: Vec<_> = (0..16).map(|_| begin(&token)).collect();
    let mut goes_on = begin(&other);
    let revoked = service.run(APPROVER, &["revoke", &grant, "--reason", "a drill", "--wait"]);
    assert_eq!(revoked.done(), "revoked");
    for _ in 0..16 {
        gate.refuses(&read(&token), 401, "revoked");
    }
    for stream in &mut running {
        // The end is a reset or an end of file, whichever the client sees first.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    goes_on.read_exact(&mut [0; 64]).unwrap();
    assert_eq!(service.introspections(), 0, "nobody was asked about a request");
}

#[test]
fn one_vm_of_a_proxy_polls_for_all_of_them() {
    let service = Service::start();
    let _gate = following(&service);
    // The main thread's VM and four workers have asked for everything; then one hangs.
    let mut in_a_row = 0;
    until("a single poll to hang, for a while", || {
        in_a_row = if service.hanging_polls() == 1 { in_a_row + 1 } else { 0 };
        (in_a_row == 20).then_some(())
    });
}

#[test]
fn the_holder_hands_a_grant_back() {
    let service = Service::start();
    let gate = following(&service);
    let (grant, token) = service.grant(&["orders:read"], "10m");
    until("the worker to know the feed", || (gate.send(&read(&token)).status == 200).then_some(()));
    assert_eq!(service.run(SUBJECT, &["done", &grant]).done(), "handed back");
    // Each worker knows at its next tick.
    until("the end to be known to all", || {
        (0..16).all(|_| gate.send(&read(&token)).status == 401).then_some(())
    });
    gate.refuses(&read(&token), 401, "revoked");
}

#[test]
fn the_kill_switch_ends_every_grant() {
    let service = Service::start();
    let gate = following(&service);
    let grants: Vec<_> = (0..3).map(|_| service.grant(&["orders:read"], "10m")).collect();
    let killed = service.run(APPROVER, &["revoke", "--all", "--reason", "compromised", "--wait"]);
    assert_eq!(killed.code, 0, "{killed:?}");
    for (_, token) in &grants {
        until("the end to be known", || (gate.send(&read(token)).status == 401).then_some(()));
        gate.refuses(&read(token), 401, "revoked");
    }
}
