//! A real Envoy that speaks HTTP/2 to the real service: over TLS, which agrees on it by ALPN, and in plain by prior knowledge.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::policy::APPROVER;
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use crate::client_certificates::{BY_CERTIFICATE, plan, without_credential, works};

/// How often the service is stopped and started again.
const STARTS: usize = 4;

/// What an Envoy's cluster needs to speak HTTP/2.
fn http2() -> Value {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}})
}

fn read(token: &str) -> Request {
    get("/v1/orders/17").token(token)
}

/// This Envoy's counter of the service's cluster.
fn counter(gate: &Gate, name: &str) -> u64 {
    gate.envoy.stats().of(&format!("cluster.approvals.{name}"))
}

fn speaks_http2_alone(gate: &Gate) {
    assert!(counter(gate, "upstream_cx_http2_total") > 0);
    assert_eq!(counter(gate, "upstream_cx_http1_total"), 0);
}

/// Not after a stop of the service: Envoy counts as one that GOAWAY has it close a connection without requests.
fn has_no_protocol_error(gate: &Gate) {
    assert_eq!(counter(gate, "upstream_cx_protocol_error"), 0);
}

fn know(gate: &Gate, token: &str) {
    until("the keys and the feed", || (gate.send(&read(token)).status == 200).then_some(()));
}

/// Waits until a poll hangs.
fn hangs(gate: &Gate) {
    until("a poll to hang", || (counter(gate, "upstream_rq_active") > 0).then_some(()));
}

/// A grant is asked about, and its revocation too.
fn introspects(service: &Service, plan: Plan) {
    let gate = plan.set("/revocation/introspection/cache", json!("1s")).alone().start();
    let (grant, token) = service.grant(&["orders:read"], "10m");
    know(&gate, &token);
    let asked = || counter(&gate, "upstream_rq_200");
    let before = asked();
    let allowed = gate.allows(&read(&token));
    let source = allowed.audit.text_of("revocation_source").unwrap().to_owned();
    assert!(source.starts_with("introspection"), "{source}");
    until("another question", || {
        gate.allows(&read(&token));
        (asked() > before).then_some(())
    });
    let _ = service.run(APPROVER, &["revoke", &grant, "--reason", "a drill"]).done();
    until("the revocation", || (gate.send(&read(&token)).status == 401).then_some(()));
    gate.refuses(&read(&token), 401, "revoked");
    speaks_http2_alone(&gate);
    has_no_protocol_error(&gate);
    gate.has_its_first_vms();
}

/// The service is stopped in order and started again, while a poll hangs and just after a revocation: no valid token is
/// refused, no poll is broken off, and what was revoked before a stop is refused.
fn outlives_starts(service: &mut Service, gate: &Gate) {
    let (grant, token) = service.grant(&["orders:read"], "10m");
    know(gate, &token);
    has_no_protocol_error(gate);
    let stream = Live::begin(Kind::Download, gate.envoy.address(), &token);
    let over = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                let answer = gate.send(&read(&token));
                assert_eq!(answer.status, 200, "request {sent}: {answer:?}");
                sent += 1;
            }
            sent
        });
        let done = catch_unwind(AssertUnwindSafe(|| {
            for start in 0..STARTS {
                let (last, revoked) = service.grant(&["orders:read"], "10m");
                know(gate, &revoked);
                hangs(gate);
                let _ = service.run(APPROVER, &["revoke", &last, "--reason", "a drill"]).done();
                let heard = || {
                    until("the revocation", || {
                        (gate.send(&read(&revoked)).status == 401).then_some(())
                    });
                };
                if start % 2 == 0 {
                    heard();
                    hangs(gate);
                }
                service.stop();
                service.start_again();
                heard();
                gate.refuses(&read(&revoked), 401, "revoked");
            }
        }));
        over.store(true, Ordering::Relaxed);
        let sent = load.join().unwrap_or_else(|_| panic!("a valid token is refused"));
        done.unwrap();
        sent
    });
    println!("{sent} requests while the service was started {STARTS} times, none refused");
    assert_eq!(counter(gate, "upstream_cx_destroy_remote_with_active_rq"), 0, "broken off");
    assert_eq!(counter(gate, "upstream_rq_rx_reset"), 0, "reset by the service");
    stream.goes_on();
    hangs(gate);
    let receipt = service.run(APPROVER, &["revoke", &grant, "--reason", "a drill", "--wait"]);
    assert_eq!(receipt.code, 0, "{receipt:?}");
    let _ = stream.ended();
    gate.refuses(&read(&token), 401, "revoked");
    speaks_http2_alone(gate);
    gate.has_its_first_vms();
}

#[test]
fn over_tls_the_feed_introspection_heads_and_cuts_work_and_a_restart_loses_no_poll() {
    let (mut service, gate, files) = works(BY_CERTIFICATE, http2(), without_credential);
    speaks_http2_alone(&gate);
    has_no_protocol_error(&gate);
    assert!(counter(&gate, "ssl.versions.TLSv1.3") > 0);
    service.keep_addresses();
    outlives_starts(&mut service, &gate);
    introspects(&service, plan(&service, &files, http2()).filter(without_credential));
}

#[test]
fn in_plain_the_feed_introspection_heads_and_cuts_work_and_a_restart_loses_no_poll() {
    let mut service = Service::start();
    let heads = json!({"cluster": "approvals", "authority": "approvals.internal",
        "path": "/v1/audit/heads"});
    let plan = Plan::following(&service, "10s").approvals_cluster(http2()).workers(2).alone();
    let gate = plan.set("/audit", json!({"heads": heads})).start();
    outlives_starts(&mut service, &gate);
    until("the report of a head", || {
        let heads = service.run(AUDITOR, &["audit", "heads"]);
        (heads.code == 0 && heads.stdout.contains("\"seq\"")).then_some(())
    });
    introspects(&service, Plan::asking(&service).approvals_cluster(http2()));
}
