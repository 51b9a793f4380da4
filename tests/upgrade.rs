//! A rolling upgrade: real Envoys, of which some have the filter of version 0.1 (`scripts/upgrade` builds it) and some
//! today's, at today's approval service. What is approved goes on at all of them, what is revoked ends at all of them, and
//! one check reads the logs of all.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_tests::artefacts::old_filter;
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::{APPROVER, INCIDENT, JUSTIFICATION, SUBJECT};
use breakglass_tests::record::Audit;
use breakglass_tests::service::{AUDITOR, Ran, Service};
use breakglass_tests::wait::until;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The rules of `orders:read` in the standard configuration, as docs/scope-digests.md writes them.
const APPROVED: &str = r#"{"methods":["GET","HEAD"],"paths":["/v1/orders","/v1/orders/{id}","/v1/orders/{id}/items/**"],"upgrades":["websocket"],"v":1}"#;

fn sha256(form: &str) -> String {
    let digest = digest(&SHA256, form.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A proxy with a configuration that version 0.1 takes too.
fn plan(service: &Service) -> Plan {
    let heads = json!({"cluster": "approvals", "authority": "approvals.internal", "path": "/v1/audit/heads"});
    Plan::asking(service)
        .following_feed("10s")
        .set("/audit", json!({"heads": heads}))
        .workers(2)
        .alone()
}

fn orders(token: &str) -> Request {
    get("/v1/orders/17").token(token)
}

/// Waits until this is how the proxies define `orders:read`, as the service knows it.
fn have_said(service: &Service, same: u64, unknown: u64) {
    let expected = json!({"same": same, "other": 0, "unknown": unknown});
    until(&format!("the proxies to be {expected}"), || {
        let ran = service.run(SUBJECT, &["scopes", "--for", "GET /v1/orders/17", "--json"]);
        (ran.json()["scopes"][0]["rules"]["proxies"] == expected).then_some(())
    });
}

/// The token opens it; the record of one such request.
fn opens(gate: &Gate, token: &str) -> Audit {
    // Each worker fetches the keys, or hears of them, at its first request.
    until("the keys", || (gate.send(&orders(token)).status != 503).then_some(()));
    let request = orders(token);
    let answer = gate.send(&request);
    assert_eq!(answer.status, 200, "{answer:?}");
    let record = gate.envoy.record(&request.id);
    let audit = record.audit().unwrap_or_else(|| panic!("{}", record.line())).clone();
    assert_eq!(
        (audit.text_of("decision"), audit.text_of("scope")),
        (Some("allow"), Some("orders:read"))
    );
    audit
}

/// The token is refused, and the record says so.
fn revoked(gate: &Gate, token: &str) {
    let request = orders(token);
    let answer = gate.send(&request);
    assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("revoked")));
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.audit().and_then(|audit| audit.text_of("reason")), Some("revoked"));
}

/// A request that is approved: what the approver was shown, the grant, and the token.
fn approve(service: &Service) -> (String, String, String) {
    let ask =
        ["request", "--scope", "orders:read", "--reason", JUSTIFICATION, "--incident", INCIDENT];
    let asked = service.run(SUBJECT, &[&ask[..], &["--again"]].concat()).done();
    let approved = service.run(APPROVER, &["approve", &asked, "--yes"]);
    let shown = approved.stderr.clone();
    (shown, approved.done(), service.run(SUBJECT, &["token", &asked]).done())
}

/// What the token says was approved.
fn approved_rules(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["breakglass"]["scopes"].clone()
}

fn audit(service: &Service, verb: &[&str], logs: &[PathBuf]) -> Ran {
    let heads = format!("http://{}", service.address());
    let logs = logs.iter().map(|log| log.to_str().unwrap());
    let flags = if verb == ["verify"] { vec!["--heads", &heads] } else { Vec::new() };
    let arguments =
        ["audit"].iter().chain(verb).copied().chain(flags).chain(["--json"]).chain(logs);
    service.run(AUDITOR, &arguments.collect::<Vec<_>>())
}

/// Waits until the service knows the last record of every chain in the logs, and nothing is missing in them or changed.
fn verified(service: &Service, logs: &[PathBuf]) {
    until("the heads of all that is in the logs", || {
        let ran = audit(service, &["verify"], logs);
        let verdict = ran.json();
        let chains = verdict["chains"].as_array().unwrap();
        let known = !chains.is_empty() && chains.iter().all(|chain| chain["after_head"] == 0);
        (ran.code == 0 && known).then_some(())
    });
}

/// Ends a proxy, and keeps its log.
fn end(gate: Gate, place: &Path, name: &str) -> PathBuf {
    let kept = place.join(name);
    fs::copy(gate.envoy.access_log(), &kept).unwrap();
    kept
}

#[test]
fn the_filter_of_version_0_1_and_the_one_of_today_serve_side_by_side_and_one_after_the_other() {
    let place = TempDir::new().unwrap();
    let digest = sha256(APPROVED);
    let mut service = Service::start();
    let mut filter = Value::Null;
    let first = plan(&service).module(old_filter()).filter(|it| filter = it.clone());
    service.define(&filter);

    // The first proxy is upgraded, and its configuration says what the others' cannot say yet.
    let old = first.start();
    let new = plan(&service).set("/scopes/0/same_digest", json!(true)).start();
    have_said(&service, 1, 1);
    let (shown, grant, token) = approve(&service);
    assert!(shown.contains("orders:read (write): GET, HEAD on /v1/orders, "), "{shown}");
    assert!(shown.contains("1 of 2 have not said"), "{shown}");
    assert_eq!(approved_rules(&token), json!({"orders:read": digest}));
    let before = opens(&old, &token);
    assert!(!before.text.contains("scope_digest"), "the filter of version 0.1: {}", before.text);
    assert_eq!(opens(&new, &token).text_of("scope_digest"), Some(&*digest));

    // What is revoked ends at both.
    let (_, other, ended) = approve(&service);
    opens(&old, &ended);
    opens(&new, &ended);
    let ran = service.run(APPROVER, &["revoke", &other, "--reason", "a drill", "--wait"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("2 of 2 at epoch"), "{ran:?}");
    revoked(&old, &ended);
    revoked(&new, &ended);

    // The second one: for a while today's filter has the configuration of the one that it replaces. Which rules that
    // configuration has is known by its digest then, and the two filters make the same one of it.
    let replaced = plan(&service).start();
    have_said(&service, 3, 0);
    opens(&old, &token);
    let log = |gate: &Gate| gate.envoy.access_log();
    verified(&service, &[log(&old), log(&new), log(&replaced)]);
    let old = end(old, place.path(), "old.log");
    have_said(&service, 2, 0);

    // What was approved before goes on, and is the same rules.
    for gate in [&new, &replaced] {
        let audit = opens(gate, &token);
        assert_eq!(audit.text_of("scope_digest"), Some(&*digest));
        assert!(!audit.text.contains("approved_digest"), "{}", audit.text);
        revoked(gate, &ended);
    }
    let (shown, _, again) = approve(&service);
    assert!(!shown.contains("have not said"), "{shown}");
    assert_eq!(approved_rules(&again), approved_rules(&token));

    let logs = [old, log(&new), log(&replaced)];
    verified(&service, &logs);
    // What each of them did under the grant is in the report, and none of it under other rules.
    for log in &logs {
        let one = std::slice::from_ref(log);
        let report = audit(&service, &["report", "--grant", &grant], one).json();
        let calls = report["calls"].as_array().unwrap();
        assert!(
            !calls.is_empty() && calls.iter().all(|call| call["proof"] == "sealed"),
            "{report}"
        );
        assert_eq!(report["other_rules"], json!([]), "{report}");
    }
}
