//! The chain: what is recorded is a link, in order, and the head of the chain is reported.

use breakglass_core::audit::Outcome;
use breakglass_core::calls::Call;
use breakglass_core::config::ConfigDigest;
use breakglass_core::step::Step;
use hmac_sha256::Hash;
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, parse, reporting_config,
    test, with,
};

fn request(jti: &str) -> Request {
    Request::under(&Key::new(1).sign(&with(claims(), json!({"jti": jti}))))
}

/// The text of the final record of a request.
fn text(stage: &mut Stage, stream: u32) -> String {
    stage.worker.logged(stream, Outcome::default, stage.now).unwrap()
}

fn permitted(stage: &mut Stage, stream: u32, jti: &str) {
    assert_permitted(&stage.request(stream, &request(jti)));
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The hash as docs/audit.md says that it is made.
fn hash(text: &str) -> String {
    let (before, _) = text.rsplit_once(r#","hash":"#).unwrap();
    let digest = Hash::hash(format!("{before}}}").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn body(call: &Call) -> Value {
    assert!(call.headers.contains(&(":path", "/v1/audit/heads".into())), "{call:?}");
    assert!(call.headers.contains(&("authorization", "Bearer proxy-secret".into())));
    serde_json::from_slice(&call.body).unwrap()
}

#[test]
fn each_record_holds_the_hash_of_the_one_before() {
    let mut stage = Stage::new(&config());
    for (stream, jti) in [(1, "a"), (2, "b"), (3, "a")] {
        permitted(&mut stage, stream, jti);
    }
    let _ = stage.request(4, &Request::under("not a token"));
    // In the order of their ends, not of their beginnings.
    let records: Vec<String> = [2, 1, 4, 3].iter().map(|id| text(&mut stage, *id)).collect();
    let mut prev = Value::Null;
    for (index, record) in records.iter().enumerate() {
        let value = read(record);
        assert_eq!(value["seq"], index + 1);
        assert_eq!(value["prev"], prev);
        assert_eq!(value["hash"], hash(record));
        assert_eq!(value["phase"], "end");
        prev = value["hash"].clone();
    }
    let counts: Vec<Value> = records.iter().map(|text| read(text)["grant_seq"].clone()).collect();
    assert_eq!(counts, [json!(1), json!(1), json!(null), json!(2)]);
    let streams: Vec<Value> = records.iter().map(|text| read(text)["stream"].clone()).collect();
    assert_eq!(streams, [2, 1, 4, 3]);
}

#[test]
fn the_record_at_the_decision_is_no_link() {
    let mut stage = Stage::new(&config());
    let Step::Permit(permit) = stage.request(7, &request("a")) else { panic!() };
    let first = read(permit.record());
    assert_eq!(first["phase"], "decision");
    assert_eq!((&first["chain"], &first["stream"]), (&json!("01".repeat(16)), &json!(7)));
    for member in ["grant_seq", "seq", "prev", "hash"] {
        assert_eq!(first[member], Value::Null, "{member}");
    }
    assert_eq!(read(&text(&mut stage, 7))["seq"], 1);
}

#[test]
fn a_stream_that_runs_for_long_leaves_a_link_and_its_end_names_it() {
    let mut stage = Stage::new(&config());
    permitted(&mut stage, 1, "a");
    permitted(&mut stage, 2, "a");
    text(&mut stage, 2);
    stage.wait_millis(4_999);
    assert!(stage.tick().steps.is_empty());
    stage.wait_millis(1);
    let steps = stage.tick().steps;
    let [(1, Step::Note(start))] = &steps[..] else { panic!("{steps:?}") };
    let started = read(start);
    assert_eq!((&started["phase"], &started["seq"]), (&json!("start"), &json!(2)));
    assert_eq!(started["hash"], hash(start));
    assert!(started["duration_ms"].as_u64() >= Some(5_000), "when it was written: {started}");
    assert!(stage.tick().steps.is_empty(), "once");
    let ended = read(&text(&mut stage, 1));
    assert_eq!(ended["start"], json!({"seq": 2, "prev": started["prev"], "hash": started["hash"]}));
    assert_eq!((&ended["seq"], &ended["prev"]), (&json!(3), &started["hash"]));
    assert_eq!(ended["grant_seq"], 3);
}

#[test]
fn a_stream_that_is_cut_names_its_start_too() {
    let mut stage = Stage::new(&config());
    permitted(&mut stage, 1, "a");
    stage.wait_millis(5_000);
    assert_eq!(stage.tick().steps.len(), 1);
    stage.wait_millis(800_000);
    assert!(matches!(&stage.tick().steps[..], [(1, Step::Refuse(..))]));
    let ended = read(&text(&mut stage, 1));
    assert_eq!((&ended["decision"], &ended["start"]["seq"]), (&json!("cut"), &json!(1)));
}

#[test]
fn a_stream_that_was_let_go_or_refused_leaves_no_start() {
    let mut stage = Stage::new(&config());
    permitted(&mut stage, 1, "a");
    stage.worker.forget(1);
    let _ = stage.request(2, &Request::under("not a token"));
    stage.wait_millis(60_000);
    assert!(stage.tick().steps.is_empty());
}

#[test]
fn the_head_is_reported_when_it_moved_and_at_most_every_four_seconds() {
    let mut stage = Stage::new(&reporting_config());
    assert!(stage.tick().calls.is_empty(), "nothing happened");
    permitted(&mut stage, 1, "a");
    let record = read(&text(&mut stage, 1));
    let call = stage.call();
    let report = body(&call);
    let configuration = ConfigDigest::of(reporting_config().to_string().as_bytes()).unwrap().text();
    assert_eq!(
        report,
        json!({"node": "edge-1", "process": report["process"], "heads": [{
            "chain": record["chain"], "seq": 1, "hash": record["hash"],
            "began": "2027-01-15T08:00:00.000Z", "ended": false, "configuration": configuration,
            "grants": {"a": 1}, "uses": {"a": [{"scope": "orders:read", "method": "GET", "rule": "/v1/orders",
                "outcome": "allow", "records": 1}]}}]})
    );
    permitted(&mut stage, 2, "b");
    text(&mut stage, 2);
    permitted(&mut stage, 3, "a");
    text(&mut stage, 3);
    stage.answer(&call, 200, &json!({"accepted": 1}));
    stage.wait_millis(3_999);
    assert!(stage.tick().calls.is_empty());
    stage.wait_millis(1);
    let head = body(&stage.call())["heads"][0].clone();
    assert_eq!((&head["seq"], &head["grants"]), (&json!(3), &json!({"a": 2, "b": 1})));
    let used = |grant: &str| head["uses"][grant][0]["records"].clone();
    assert_eq!((used("a"), used("b")), (json!(2), json!(1)), "of the chain so far");
}

/// What the service knows of a grant's uses is not said again.
#[test]
fn only_the_kinds_of_use_that_changed_are_reported() {
    let mut stage = Stage::new(&reporting_config());
    permitted(&mut stage, 1, "a");
    text(&mut stage, 1);
    let call = stage.call();
    stage.answer(&call, 200, &json!({"accepted": 1}));
    let token = Key::new(1).sign(&with(claims(), json!({"jti": "a"})));
    let outside = Request::new("DELETE", "/v1/orders").header("x-breakglass-token", &token);
    assert_refused(&stage.request(2, &outside), "out_of_scope");
    text(&mut stage, 2);
    stage.wait_millis(4_000);
    let head = body(&stage.call())["heads"][0].clone();
    assert_eq!(head["grants"], json!({"a": 2}));
    let refused = json!([{"method": "DELETE", "outcome": "deny", "records": 1}]);
    assert_eq!(head["uses"], json!({"a": refused}));
}

#[test]
fn a_report_that_did_not_arrive_is_made_again() {
    let mut stage = Stage::new(&reporting_config());
    permitted(&mut stage, 1, "a");
    text(&mut stage, 1);
    let call = stage.call();
    stage.fail(&call);
    stage.wait_millis(999);
    assert!(stage.tick().calls.is_empty());
    stage.wait_millis(1);
    let call = stage.call();
    assert_eq!(body(&call)["heads"][0]["grants"], json!({"a": 1}));
    stage.answer(&call, 403, &json!({}));
    stage.wait_millis(1_000);
    let call = stage.call();
    stage.answer(&call, 200, &json!({}));
    stage.wait_millis(4_000);
    assert!(stage.tick().calls.is_empty(), "nothing is new");
}

#[test]
fn a_long_request_leaves_its_record_when_the_configuration_says() {
    let mut stage = Stage::new(&with(config(), json!({"audit": {"start_after": "1s"}})));
    permitted(&mut stage, 1, "a");
    stage.wait_millis(1_000);
    assert_eq!(stage.tick().steps.len(), 1);
    let errors = parse(&with(config(), json!({"audit": {"start_after": "0s", "colour": 1}})));
    let paths: Vec<String> = errors.unwrap_err().into_iter().map(|error| error.path).collect();
    assert_eq!(paths, ["audit.start_after", "audit.colour"]);
}
