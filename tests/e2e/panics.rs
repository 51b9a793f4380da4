//! A VM of the filter dies. No input is known that makes one panic, so here is a filter that panics
//! when it is asked to: what is under way ends in time, nothing is allowed by accident, and the next
//! VM knows what it must.

use std::fs;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use breakglass_tests::artefacts;
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::SILENT;
use breakglass_tests::service::Service;
use breakglass_tests::tokens::{now, since_1970};
use breakglass_tests::wait::{timed, until};
use serde_json::{Value, json};

const MARKER: &[u8] = b"panics on purpose";

fn panic_at(when: &str) -> Request {
    get("/anything").header("x-panic-on-purpose", when)
}

fn contains(module: impl AsRef<Path>, marker: &[u8]) -> bool {
    fs::read(module).unwrap().windows(marker.len()).any(|window| window == marker)
}

#[test]
fn what_is_shipped_cannot_be_told_to_panic() {
    assert!(!contains(artefacts::filter(), MARKER));
    assert!(contains(artefacts::panicking_filter(), MARKER));
    let forgery = b"nothing could be forged";
    assert!(!contains(artefacts::filter(), forgery));
    assert!(contains(artefacts::panicking_filter(), forgery));
    let gate = Gate::standard();
    for when in ["request", "tick", "log"] {
        gate.passes(&panic_at(when));
    }
    gate.still_serves();
}

#[test]
fn the_other_tests_would_notice_a_vm_that_dies() {
    for when in ["request", "tick", "log"] {
        println!("{when}");
        let gate = Plan::standard().panicking().start();
        gate.still_serves();
        let answer = gate.send(&panic_at(when));
        assert_eq!(answer.status, if when == "request" { 503 } else { 200 });
        // On a busy machine another one has taken its place before a request has seen it gone.
        let is_gone = || gate.envoy.has_failed_vms() || gate.send(&get("/v1/orders")).status == 503;
        until("the VM to be gone", || is_gone().then_some(()));
        let noticed = panic::catch_unwind(AssertUnwindSafe(|| gate.has_its_first_vms()));
        assert!(noticed.is_err(), "{when}");
    }
}

#[test]
fn a_dead_vm_lets_nothing_through_until_another_takes_its_place() {
    let gate = Plan::standard().panicking().start();
    let died = panic_at("request");
    assert_eq!(gate.send(&died).status, 503);
    assert_eq!(gate.envoy.record(&died.id).details(), "wasm_fail_stream");
    let mut refused = 0;
    let (_, took) = timed(|| {
        until("a VM to take its place", || {
            let request = get("/v1/orders").token(gate.mint().sign());
            let status = gate.send(&request).status;
            assert_eq!(gate.upstream.saw(&request.id).is_some(), status == 200);
            refused += u32::from(status == 503);
            (status == 200).then_some(())
        });
    });
    println!("a VM took the place of the dead one after {took:?}, and {refused} refusals");
    assert!(refused > 0);
    assert!(took < Duration::from_secs(3), "{took:?}");
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");
}

/// How long after the end of its grant an idle stream of a dead VM may live: Envoy's own limit comes
/// 150 ms later than the filter's, `delayed_close_timeout` closes the connection 100 ms after that,
/// and the rest is a busy machine.
const BACKSTOP: Duration = Duration::from_millis(250 + 150);

#[test]
fn an_idle_stream_ends_with_its_grant_although_its_vm_is_dead() {
    let gate = Plan::standard().panicking().set("/clock_skew", json!("0s")).start();
    let ends = now() + 3;
    let token = gate.mint().claim("iat", now()).claim("exp", ends).sign();
    let request = get(format!("/v1/orders{SILENT}")).token(token);
    let mut stream = gate.begin(&request);
    assert_eq!(gate.send(&panic_at("request")).status, 503);
    let _ = stream.read_to_end(&mut Vec::new());
    let late = since_1970().checked_sub(Duration::from_secs(ends)).unwrap();
    println!("the idle stream of a dead VM ended {late:?} after its grant");
    assert!(late < BACKSTOP, "{late:?}");
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.flags(), "UMSDR");
    assert_eq!(record.details(), "upstream_max_stream_duration_reached");
    let audit = record.audit().unwrap();
    assert!(audit.is_complete(), "{}", audit.text);
    assert_eq!(audit.text_of("phase"), Some("decision"));
    assert_eq!(audit.text_of("decision"), Some("allow"));
    assert_eq!(audit.text_of("reason"), Some("permit"));
    assert_eq!(*audit.of("status"), Value::Null);
}

#[test]
fn revocations_are_known_again_after_every_worker_died() {
    let service = Service::start();
    let gate = Plan::following(&service, "10s").workers(2).panicking().start();
    let (revoked, token) = service.grant(&["orders:read"], "10m");
    let (meanwhile, token_meanwhile) = service.grant(&["orders:read"], "10m");
    let (_, good) = service.grant(&["orders:read"], "10m");
    let status = |token: &str| gate.send(&get("/v1/orders").token(token)).status;
    until("the feed", || (0..8).all(|_| status(&token) == 200).then_some(()));
    service.revoke(&revoked);
    until("the revocation", || (0..8).all(|_| status(&token) == 401).then_some(()));
    // Each goes to one of the workers: none is missed by forty.
    for _ in 0..40 {
        assert_eq!(gate.send(&panic_at("request")).status, 503);
    }
    service.revoke(&meanwhile);
    let (_, took) = timed(|| {
        until("the workers to know again", || {
            let all = [&token, &token_meanwhile, &good]
                .map(|token| (0..8).map(|_| status(token)).collect::<Vec<_>>());
            let [revoked, meanwhile, good] = &all;
            assert!(!revoked.contains(&200), "{all:?}");
            assert!(!meanwhile.contains(&200), "{all:?}");
            let known = revoked.iter().chain(meanwhile).all(|status| *status == 401);
            (known && good.iter().all(|status| *status == 200)).then_some(())
        });
    });
    println!("every worker knew again {took:?} after they died");
    assert!(took < Duration::from_secs(4), "{took:?}");
    gate.refuses(&get("/v1/orders").token(&token), 401, "revoked");
    gate.allows(&get("/v1/orders").token(&good));
}
