//! The configuration that `envoy/` ships: every Envoy takes it as it is, and it does what it says.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use breakglass_tests::artefacts;
use breakglass_tests::client::{get, request};
use breakglass_tests::envoy::Envoy;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::manifests::read;
use breakglass_tests::shipped_tls::with_files;
use breakglass_tests::tls_front::TlsFront;
use breakglass_tests::tokens::{Mint, now};
use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

fn shipped() -> String {
    fs::read_to_string(artefacts::root().join("envoy/envoy.yaml")).unwrap()
}

/// Replaces what must be there.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "`{from}` in envoy/envoy.yaml");
    text.replace(from, to)
}

#[test]
fn envoy_takes_the_shipped_configuration() {
    let filter = artefacts::filter();
    let text = replace(&shipped(), "dist/breakglass.wasm", filter.to_str().unwrap());
    let files = TempDir::new().unwrap();
    made_certificates(files.path());
    let text = with_files(&text, &files.path().join("tls"));
    let (content, log) = Envoy::validate(&text);
    assert!(content, "{log}");
}

/// The certificates that the shipped configuration names, made as its head says.
fn made_certificates(place: &Path) {
    let head = "keygen certificates --out tls --dns approvals.internal --proxy gate-1";
    assert!(shipped().contains(&format!("#   dist/breakglass {head}\n")), "{head}");
    let mut command = Command::new(artefacts::binary());
    let made = command.args(head.split(' ')).current_dir(place).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// The shipped configuration, on free ports, between the harness's upstream and stand-in.
fn gate() -> Gate {
    gate_for(None, |_| ())
}

/// The same with a change, in front of another upstream than the harness's.
pub(crate) fn gate_for(upstream: Option<SocketAddr>, change: impl FnOnce(&mut Value)) -> Gate {
    let place = TempDir::new().unwrap();
    made_certificates(place.path());
    let files = place.path().join("tls");
    Plan::standard().keeping(place).start_with(|settings| {
        let approvals = TlsFront::start(settings.approvals, &files);
        let filter = artefacts::filter();
        let upstream = upstream.unwrap_or(settings.upstream);
        let mut text = shipped();
        for (from, to) in [
            ("dist/breakglass.wasm", filter.to_str().unwrap().to_owned()),
            ("port_value: 9901", "port_value: 0".to_owned()),
            ("port_value: 10000", "port_value: 0".to_owned()),
            ("port_value: 8080", format!("port_value: {}", upstream.port())),
            ("port_value: 8300", format!("port_value: {}", approvals.port())),
            ("path: /dev/stdout", "path: access.log".to_owned()),
        ] {
            text = replace(&text, from, &to);
        }
        let text = with_files(&text, &files);
        let mut bootstrap = read(&text).unwrap().remove(0);
        change(&mut bootstrap);
        bootstrap.to_string()
    })
}

fn token<'k>(gate: &'k Gate) -> Mint<'k> {
    gate.mint().claim("iss", "https://approvals.internal").claim("aud", "payments-prod")
}

/// A token for `orders:read`, as soon as the shipped configuration has the keys.
pub(crate) fn ready_token(gate: &Gate) -> String {
    let ready = || gate.send(&get("/v1/orders").token(token(gate).sign())).status == 200;
    until("the keys", || ready().then_some(()));
    token(gate).sign()
}

#[test]
fn the_shipped_configuration_opens_what_is_closed_to_a_permit_only() {
    let gate = gate();
    ready_token(&gate);
    let status = |request: breakglass_tests::client::Request| gate.send(&request).status;
    assert_eq!(status(get("/v1/orders")), 403);
    assert_eq!(status(get("/v1/orders").header("x-role", "orders-admin")), 200);
    assert_eq!(status(get("/v1/orders").header("x-breakglass-decision", "allow")), 403);
    assert_eq!(status(get("/health")), 200);
    assert_eq!(status(get("/admin/users")), 401);
    assert_eq!(status(get("/x/../admin/users")), 401);
    // However it is spelt, also for the role: it is not one of the plain paths that are open to it.
    for spelling in
        ["/v1%2forders/17", "/v1%2Forders", "/v1%5corders", "/V1/orders/17", "/v1/orders;x"]
    {
        assert_eq!(status(get(spelling)), 403, "{spelling}");
        assert_eq!(status(get(spelling).header("x-role", "orders-admin")), 403, "{spelling}");
    }
    for spelling in ["/v1/%6frders/17", "/v1//orders"] {
        assert_eq!(status(get(spelling)), 403, "{spelling}");
    }
    // Under a token the filter says why.
    let answer = gate.send(&get("/v1%2forders/17").token(token(&gate).sign()));
    assert_eq!((answer.status, &answer.json()["reason"]), (400, &json!("ambiguous_path")));
    assert_eq!(status(get("/v1/orders/1;2").token(token(&gate).sign())), 400);
    let write = || request("POST", "/v1/orders").body("{}");
    let writer = token(&gate).scope("orders:write");
    assert_eq!(status(write().token(writer.sign())), 403);
    assert_eq!(status(write().token(writer.claim("roles", json!(["oncall"])).sign())), 200);
}

#[test]
fn the_shipped_configuration_logs_the_record_and_labels_the_counters() {
    let gate = gate();
    let refused = get("/admin/users");
    assert_eq!(gate.send(&refused).status, 401);
    let record = until("the record", || {
        let mut records = gate.envoy.records().into_iter();
        records.find(|record| record.line()["path"] == "/admin/users")
    });
    assert_eq!(record.details(), "breakglass_token_missing");
    assert_eq!(record.audit().unwrap().text_of("reason"), Some("token_missing"));
    let line =
        r#"breakglass_decision{breakglass_decision="deny",breakglass_reason="token_missing"} 1"#;
    until("the decision in Prometheus' format", || {
        let page = gate.envoy.admin("/stats/prometheus").body;
        String::from_utf8_lossy(&page).lines().any(|found| found == line).then_some(())
    });
}

#[test]
fn the_shipped_configuration_closes_what_is_cut_at_once() {
    let gate = gate();
    let ready = || gate.send(&get("/v1/orders").token(token(&gate).sign())).status == 200;
    until("the keys", || ready().then_some(()));
    // With the shipped `clock_skew` of 5 s it is void in two seconds.
    let ends = now() - 3;
    let token = token(&gate).claim("iat", ends - 60).claim("exp", ends).sign();
    let stream = Live::begin(Kind::Download, gate.envoy.address(), &token);
    let took = stream.ended().at.checked_sub(Duration::from_secs(ends + 5)).unwrap();
    println!("the shipped configuration: a download ended {took:?} after its grant");
    assert!(took <= Duration::from_millis(250), "{took:?}");
}
