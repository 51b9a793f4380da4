//! A record without captured bodies is shorter than 16 KiB, whatever is in the request, the token and
//! the configuration: log pipelines split longer lines. It is whole and sealed all the same.

use breakglass_core::audit::Outcome;
use breakglass_core::step::Step;
use hmac_sha256::Hash;
use serde_json::{Value, json};

use crate::support::{Key, Request, Stage, claims, config, parse, reporting_config, test, with};

/// Where container runtimes split a line.
const LINE: usize = 16 * 1024;

/// What escaping makes longest, and what it does not.
const HOSTILE: [&[u8]; 8] =
    [b"\"", b"\\", b"\x01", b"\n", b"\x7f", b"\xff", "\u{1f600}".as_bytes(), b"a"];

/// A configuration as long as it gets, under which everything is refused by a rule, or allowed.
fn long_config(ceiling: bool) -> Value {
    let path = format!("/{}", "orders".repeat(300));
    let paths: Vec<String> = (0..20).map(|number| format!("{path}{number}")).collect();
    let mut config = with(
        reporting_config(),
        json!({
            "max_token_bytes": 65536,
            "audit": {"heads": reporting_config()["audit"]["heads"], "start_after": "1s"},
            "scopes": [{"name": "s".repeat(256), "methods": ["GET"], "paths": ["/**"], "request_body": "digest",
                "response_body": "digest"}],
        }),
    );
    config["issuers"][0]["issuer"] = json!("\"".repeat(256));
    if ceiling {
        let rule: Vec<Value> = paths.iter().map(|path| json!(path)).chain([json!("/**")]).collect();
        config["ceiling"] = json!([{"paths": rule}]);
    }
    config
}

/// Claims as long as they get: names of quotes, a justification that is all escapes.
fn long_claims(character: &str) -> Value {
    let text = character.repeat(1024);
    let mut reason = text.as_str();
    while reason.len() > 1024 {
        reason = reason.split_at(reason.len().saturating_sub(character.len())).0;
    }
    with(
        claims(),
        json!({
            "iss": "\"".repeat(256), "sub": "\\".repeat(256), "jti": "\"".repeat(256),
            "scope": "s".repeat(256),
            "breakglass": {"reason": reason, "incident": "\"".repeat(256),
                "approvers": vec!["\"".repeat(256); 60], "emergency": true},
        }),
    )
}

fn long_request(token: &str, bytes: &[u8]) -> Request {
    let long = bytes.repeat(20_000);
    let request = Request::new("GET", "/v1/orders").header("x-breakglass-token", token);
    let mut request = request
        .header(":method", &long)
        .header(":path", [b"/", &long[..]].concat())
        .header(":authority", &long)
        .header("x-request-id", &long);
    request.source = Some("[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
    request
}

/// Asserts that a record is whole, sealed and short, as text and as a string in a JSON line.
fn assert_short(record: &str, sealed: bool) -> Value {
    let value: Value = serde_json::from_str(record).unwrap();
    let line = serde_json::to_string(record).unwrap();
    assert!(line.len() < LINE, "{} bytes: {record}", line.len());
    if sealed {
        let (before, _) = record.rsplit_once(r#","hash":"#).unwrap();
        let digest = Hash::hash(format!("{before}}}").as_bytes());
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(value["hash"], hash);
    }
    value
}

fn outcome(upstream: &[u8]) -> Outcome {
    Outcome {
        status: Some(u64::MAX),
        response_flags: Some(u64::MAX),
        upstream: Some(upstream.repeat(10_000)),
    }
}

#[test]
fn no_request_token_or_configuration_makes_a_record_longer_than_a_line() {
    let key = Key::new(1);
    let mut longest = 0;
    for bytes in HOSTILE {
        for ceiling in [false, true] {
            let reason = str::from_utf8(bytes).unwrap_or("\u{1}");
            let mut stage = Stage::new(&long_config(ceiling));
            stage.worker = breakglass_core::worker::Worker::new(
                parse(&long_config(ceiling)).unwrap(),
                breakglass_core::worker::Identity {
                    node: Some("\u{1}".repeat(5000)),
                    id: [255; 16],
                    version: "1.2.3",
                    digest: None,
                },
                stage.now,
            );
            let token = key.sign(&long_claims(reason));
            let mut request = long_request(&token, bytes);
            request.route = Some("\u{1}\"\u{1}\"\u{1}\"\u{1}\"".repeat(1000).leak());
            let step = stage.request(u32::MAX, &request);
            let Step::Refuse(_, first) = &step else { panic!("{step:?}") };
            let value = assert_short(first, false);
            assert_eq!(value["grant"], "\"".repeat(256), "what names the grant is whole");
            let last = stage.worker.logged(u32::MAX, || outcome(bytes), stage.now).unwrap();
            assert_short(&last, true);
            longest = longest.max(last.len());
        }
    }
    println!("the longest record: {longest} bytes");
    assert!(longest > 8_000, "this is meant to be long: {longest}");
}

#[test]
fn an_allowed_request_with_bodies_and_a_start_stays_short_too() {
    let key = Key::new(1);
    let mut stage = Stage::new(&long_config(false));
    let token = key.sign(&long_claims("\u{1}"));
    let mut request = Request::new("GET", &format!("/{}", "x".repeat(9_000)));
    request = request.header("x-breakglass-token", &token);
    request.route = Some("\"".repeat(5000).leak());
    let step = stage.request(1, &request);
    let Step::Permit(permit) = &step else { panic!("{step:?}") };
    assert_short(permit.record(), false);
    let (mut used, mut other) = (Request::new("GET", "/"), "\u{1}\"".repeat(5000));
    other.push('x');
    used.route = Some(other.leak());
    assert!(stage.worker.response_begins(1, &used, stage.now).is_none());
    stage.wait_millis(2_000);
    let steps = stage.tick().steps;
    let [(1, Step::Note(start))] = &steps[..] else { panic!("{steps:?}") };
    let value = assert_short(start, true);
    assert!(value["route_used"].as_str().unwrap().starts_with("\u{1}\""));
    let last = stage.worker.logged(1, || outcome(b"\""), stage.now).unwrap();
    let value = assert_short(&last, true);
    assert_eq!(value["request_body"]["bytes"], 0);
    assert_eq!(value["start"]["seq"], 1);
}

#[test]
fn what_is_usual_is_recorded_whole() {
    let key = Key::new(1);
    let mut stage = Stage::new(&config());
    let reason = "the pager says \u{e9}\n".repeat(50);
    let mut usual = claims();
    usual["breakglass"]["reason"] = json!(reason);
    usual["breakglass"]["approvers"] = json!(vec!["bob@example.com"; 20]);
    let path = format!("/v1/orders/{}", "o".repeat(1000));
    let request = Request::new("GET", &path)
        .header("x-breakglass-token", key.sign(&usual))
        .header("x-request-id", "r".repeat(500));
    let _ = stage.request(1, &request);
    let value = stage.logged(1).unwrap();
    assert_eq!(value["justification"], reason);
    assert_eq!(value["approvers"].as_array().unwrap().len(), 20);
    assert_eq!(value["path"], path);
}
