//! The trail as a whole: every request under a grant is in the log once, and what is not there, or
//! not as it was written, is found by `breakglass audit verify`.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;

use breakglass_tests::bootstrap::HURRIED;
use breakglass_tests::client::{connect, get, new_id};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Connection, Kind, Live};
use breakglass_tests::record::Record;
use breakglass_tests::service::{AUDITOR, Ran, Service};
use breakglass_tests::upstream::{HANGING, RESETTING};
use breakglass_tests::wait::until;
use serde_json::{Value, json};

const WORKERS: u32 = 4;

/// Where the heads go, and how long a stream runs before it leaves a record.
pub(crate) fn audit() -> Value {
    let heads = json!({"cluster": "approvals", "authority": "approvals.internal",
        "path": "/v1/audit/heads"});
    json!({"heads": heads, "start_after": "1s"})
}

pub(crate) fn plan(service: &Service) -> Plan {
    Plan::following(service, "10s").set("/audit", audit())
}

/// A gate whose workers know the feed, a token, and how many requests that took.
fn gate(service: &Service, plan: Plan) -> (Gate, String, usize) {
    let gate = plan.start();
    let (_, token) = service.grant(&["orders:read"], "10m");
    let mut sent = 0;
    let mut ask = || {
        sent += 1;
        gate.send(&get("/v1/orders").token(&token)).status
    };
    until("the workers to know the feed", || (0..32).all(|_| ask() == 200).then_some(()));
    (gate, token, sent)
}

/// What `breakglass audit verify` says of a log, with the heads that the service has.
pub(crate) fn verify(service: &Service, log: &Path) -> Ran {
    let (log, heads) = (log.to_str().unwrap(), format!("http://{}", service.address()));
    service.run(AUDITOR, &["audit", "verify", log, "--heads", &heads, "--json"])
}

/// Waits until the service knows the last record of every chain in the log.
pub(crate) fn until_reported(service: &Service, log: &Path) -> Value {
    until("every head to be reported", || {
        let ran = verify(service, log);
        let verdict = ran.json();
        // A head that is behind the log says nothing against it.
        let chains = verdict["chains"].as_array().unwrap();
        let known = chains.iter().all(|chain| chain["after_head"] == 0);
        (ran.code == 0 && known).then_some(verdict)
    })
}

/// What a client knows of its request.
struct Sent {
    id: String,
    /// What it got; nothing if it went away.
    status: Option<u16>,
    /// The reason that the record must have; any, if the client went away.
    reason: Option<&'static str>,
}

/// One client's part: requests of every kind, one after the other.
fn send(gate: &Gate, token: &str, count: usize) -> Vec<Sent> {
    let to = gate.envoy.address();
    let mut http1 = connect(to);
    let http2 = Connection::open(to);
    let mut sent = Vec::new();
    for number in 0..count {
        let orders = get("/v1/orders").token(token);
        let (request, reason) = match number % 100 {
            0 => (get(format!("/v1/orders{RESETTING}")).token(token), "permit"),
            1 => (get(format!("{HURRIED}{HANGING}")).token(token), "permit"),
            2 | 3 => {
                // The client goes away while it waits.
                let request = get(format!("/v1/orders{HANGING}")).token(token);
                connect(to).write_all(&request.bytes()).unwrap();
                sent.push(Sent { id: request.id.clone(), status: None, reason: None });
                continue;
            }
            4..20 => {
                let id = new_id();
                let status = http2.send(&id, "/v1/orders", token);
                sent.push(Sent { id, status: Some(status), reason: Some("permit") });
                continue;
            }
            20..25 => {
                let id = new_id();
                let status = http2.send(&id, "/v1/invoices", token);
                sent.push(Sent { id, status: Some(status), reason: Some("out_of_scope") });
                continue;
            }
            25..35 => (get("/v1/invoices").token(token), "out_of_scope"),
            35..40 => (get("/v1/orders").token("no.token.this"), "token_malformed"),
            40..45 => (get("/admin/users"), "token_missing"),
            45..50 => (get("/v1/orders/../admin").token(token), "ambiguous_path"),
            _ => (orders, "permit"),
        };
        // After a refusal the client may have to connect anew.
        let status = match number % 100 {
            50.. => request.send_over(&mut http1).status,
            _ => request.send(to).status,
        };
        sent.push(Sent { id: request.id, status: Some(status), reason: Some(reason) });
    }
    sent
}

#[test]
fn ten_thousand_requests_of_every_kind_are_in_the_log_once_each_and_as_they_were() {
    let service = Service::start();
    let (gate, token, warm_up) = gate(&service, plan(&service).workers(WORKERS));
    let (grant, cut_token) = service.grant(&["orders:read"], "10m");
    let streams: Vec<Live> = [Kind::Download, Kind::Http2, Kind::WebSocket, Kind::Events]
        .into_iter()
        .cycle()
        .take(20)
        .map(|kind| Live::begin(kind, gate.envoy.address(), &cut_token))
        .collect();
    let mut sent: Vec<Sent> = thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| send(&gate, &token, 1_250))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    service.revoke(&grant);
    for stream in &streams {
        let _ = stream.ended();
        sent.push(Sent { id: stream.id.clone(), status: None, reason: Some("revoked") });
    }
    assert_eq!(sent.len(), 10_020);

    // Those before them had the log for themselves.
    let wanted = sent.len() + warm_up;
    until("every request to be logged", || (count(&gate) >= wanted).then_some(()));
    let records = finals(&gate);
    assert_eq!(records.len(), wanted, "every request is logged once");
    let by_id: HashMap<&str, &Record> =
        records.iter().map(|record| (record.request_id().unwrap(), record)).collect();
    assert_eq!(by_id.len(), records.len(), "every request is logged once");
    let mut counts: HashMap<(Option<&str>, Option<u16>), u32> = HashMap::new();
    for one in &sent {
        let audit = by_id[one.id.as_str()].audit().unwrap();
        assert!(audit.is_complete(), "{}", audit.text);
        let reason = audit.text_of("reason");
        if let Some(status) = one.status {
            assert_eq!(audit.of("status"), status, "{}", audit.text);
        }
        if let Some(wanted) = one.reason {
            assert_eq!(reason, Some(wanted), "{}", audit.text);
        }
        *counts.entry((one.reason, one.status)).or_default() += 1;
    }
    println!("{counts:?}");
    // Resets, timeouts, refusals and cuts were really among them.
    for kind in [("permit", 503), ("permit", 504), ("out_of_scope", 403), ("ambiguous_path", 400)] {
        assert!(counts.contains_key(&(Some(kind.0), Some(kind.1))), "{kind:?} in {counts:?}");
    }
    let verdict = until_reported(&service, &gate.envoy.access_log());
    assert_eq!(verdict["records"], wanted, "{verdict}");
    gate.has_its_first_vms();
}

/// How many final records the log has.
fn count(gate: &Gate) -> usize {
    let log = fs::read(gate.envoy.access_log()).unwrap();
    String::from_utf8_lossy(&log).matches(r#"\"phase\":\"end\""#).count()
}

/// The final records in the log.
fn finals(gate: &Gate) -> Vec<Record> {
    let mut records = gate.envoy.records();
    records
        .retain(|record| record.audit().is_some_and(|audit| audit.text_of("phase") == Some("end")));
    records
}

#[test]
fn every_call_in_a_real_log_is_proven_by_what_its_own_proxy_reported() {
    let service = Service::start();
    let (gate, ..) = gate(&service, plan(&service).workers(WORKERS));
    let log = gate.envoy.access_log();
    let verdict = until_reported(&service, &log);
    let heads: Vec<&Value> =
        verdict["chains"].as_array().unwrap().iter().map(|chain| &chain["head"]).collect();
    assert!(!heads.is_empty());
    for head in &heads {
        assert_eq!(head["proof"], "proven", "{head}");
        assert_eq!(head["process"], heads[0]["process"], "one Envoy is one process");
        assert_eq!(head["process"].as_str().unwrap().len(), 32, "{head}");
    }
    assert_eq!(verdict["checked"], verdict["records"]);
    let grant = gate.envoy.records()[0].audit().unwrap().text_of("grant").unwrap().to_owned();
    let (log, url) = (log.to_str().unwrap(), format!("http://{}", service.address()));
    let about = ["audit", "report", "--grant", &grant, "--heads", &url, log, "--json"];
    let report = service.run(AUDITOR, &about);
    assert_eq!(report.code, 0, "{report:?}");
    let summary = &report.json()["summary"];
    assert!(summary["calls"].as_u64() > Some(0), "{summary}");
    assert_eq!(summary["proofs"], json!({"proven": summary["calls"]}));
}

#[test]
fn what_is_taken_out_of_a_real_log_or_changed_in_it_is_found() {
    let service = Service::start();
    let (gate, ..) = gate(&service, plan(&service));
    let log = gate.envoy.access_log();
    until_reported(&service, &log);
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let verdict = |lines: &[&str]| {
        let path = log.with_file_name("tampered.log");
        fs::write(&path, format!("{}\n", lines.join("\n"))).unwrap();
        let ran = verify(&service, &path);
        let json = ran.json();
        let kinds = |class: &str| json[class]["counts"].as_object().unwrap().clone();
        let kinds: Vec<String> = ["integrity", "completeness"]
            .iter()
            .flat_map(|class| kinds(class))
            .map(|kind| kind.0)
            .collect();
        (ran.code, kinds)
    };
    let (code, kinds) = verdict(&lines[..lines.len() - 1]);
    assert_eq!(code, 5, "a tail is cut off: {kinds:?}");
    assert!(kinds.contains(&"cut_tail".to_owned()), "{kinds:?}");
    let (code, kinds) = verdict(&[&lines[..5], &lines[6..]].concat());
    assert_eq!(code, 5, "a line is taken out: {kinds:?}");
    assert!(kinds.contains(&"missing".to_owned()), "{kinds:?}");
    let changed = lines[5].replacen("GET", "PUT", 2);
    let (code, kinds) = verdict(&[&lines[..5], &[changed.as_str()], &lines[6..]].concat());
    assert!(code == 4 || code == 6, "a line is changed: {code} {kinds:?}");
    assert!(kinds.contains(&"changed".to_owned()), "{kinds:?}");
}

#[test]
fn a_worker_that_dies_takes_the_ends_of_its_streams_along_and_the_check_says_so() {
    let service = Service::start();
    // A start that nobody has printed yet would be missing until the stream ends.
    let plan = plan(&service).set("/audit/start_after", json!("10m"));
    let (gate, token, _) = gate(&service, plan.panicking());
    let log = gate.envoy.access_log();
    let stream = Live::begin(Kind::Download, gate.envoy.address(), &token);
    until_reported(&service, &log);
    let dying = get("/v1/orders").token(&token).header("x-panic-on-purpose", "request");
    assert_eq!(dying.send(gate.envoy.address()).status, 503);
    let _ = stream.ended();
    let record = gate.envoy.record(&stream.id);
    assert_ne!(record.audit().unwrap().text_of("phase"), Some("end"), "{}", record.line());
    until("the next VM to serve", || {
        (gate.send(&get("/v1/orders").token(&token)).status == 200).then_some(())
    });
    // What the dead worker had recorded is all there; what it could not record is said to be lost.
    let lost = until("the new chain to be reported", || {
        let ran = verify(&service, &log);
        let json = ran.json();
        let counts = json["completeness"]["counts"].as_object()?.clone();
        let only_that = counts.keys().all(|kind| kind == "no_end");
        let both = json["chains"].as_array()?.len() == 2;
        (ran.code == 5 && only_that && both).then_some(json)
    });
    assert_eq!(lost["integrity"]["verdict"], "ok", "{lost}");
    assert_eq!(lost["completeness"]["counts"]["no_end"], 1, "{lost}");
}
