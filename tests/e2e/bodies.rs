//! What is recorded of bodies: their digest as they pass, and how they begin, without what is secret.

use std::io::Write as _;

use breakglass_tests::client::{Request, connect, get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::TRICKLING;
use breakglass_tests::record::Audit;
use breakglass_tests::wait::until;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

const SECRET: &str = "correct-horse-battery-staple";

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn post(gate: &Gate, content_type: &str, body: &[u8]) -> Request {
    request("POST", "/v1/orders")
        .token(gate.mint().scope("orders:write").sign())
        .header("content-type", content_type)
        .body(body)
}

/// A gate that records the bodies of orders that are written so.
fn recording(request: &Value, response: &Value) -> Gate {
    Plan::standard()
        .set("/scopes/1/request_body", request.clone())
        .set("/scopes/1/response_body", response.clone())
        .alone()
        .start()
}

fn capturing(redact: &[&str]) -> Gate {
    let request = json!({"capture": {"redact": redact, "headers": ["content-type"]}});
    let response = json!({"capture": {"max_bytes": 16384, "redact": ["headers"]}});
    recording(&request, &response)
}

#[test]
fn a_digest_is_of_every_byte_of_a_body_of_any_size() {
    let gate = recording(&json!("digest"), &json!("digest"));
    for size in [0, 1, 70_000, 20 * 1024 * 1024] {
        let body: Vec<u8> = (0..size).map(|n: usize| (n % 251) as u8).collect();
        let allowed = gate.allows(&post(&gate, "application/octet-stream", &body));
        assert_eq!(allowed.seen.body_bytes, size);
        let recorded =
            |bytes: &[u8]| json!({"sha256": sha256(bytes), "bytes": bytes.len(), "complete": true});
        assert_eq!(*allowed.audit.of("request_body"), recorded(&body), "{size}");
        assert_eq!(*allowed.audit.of("response_body"), recorded(&allowed.answer.body), "{size}");
    }
    gate.has_its_first_vms();
}

#[test]
fn a_captured_body_is_recorded_without_what_is_taken_out_of_it() {
    let gate = capturing(&["password", "/card/number"]);
    let body =
        json!({"item": "kettle", "Password": SECRET, "card": {"number": SECRET, "type": "x"}});
    let request = post(&gate, "application/json", body.to_string().as_bytes());
    let request = request.header("x-api-key", SECRET);
    let audit = gate.allows(&request).audit;
    let recorded = audit.of("request_body");
    let content: Value = serde_json::from_str(recorded["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        content,
        json!({"item": "kettle", "Password": "[redacted]",
            "card": {"number": "[redacted]", "type": "x"}})
    );
    assert_eq!(recorded["headers"], json!({"content-type": "application/json"}));
    assert_eq!(recorded["sha256"], sha256(body.to_string().as_bytes()));
    // The upstream answers with the headers that it saw, the secret one among them.
    let response = audit.of("response_body");
    assert!(response["content"].as_str().unwrap().contains(r#""headers":"[redacted]""#));
    assert_eq!(response["headers"], json!({}));
    for text in [gate.envoy.log(), audit.text.clone(), format!("{:?}", gate.envoy.records())] {
        assert!(!text.contains(SECRET), "{text}");
    }
    for page in ["/stats", "/config_dump", "/clusters"] {
        let page = gate.envoy.admin(page).body;
        assert!(!String::from_utf8_lossy(&page).contains(SECRET));
    }
}

#[test]
fn what_is_cut_off_within_a_secret_does_not_show_its_beginning() {
    let request = json!({"capture": {"max_bytes": 30, "redact": ["password"]}});
    let gate = recording(&request, &json!("none"));
    let body = json!({"a": 1, "password": SECRET.repeat(10), "z": 2}).to_string();
    let audit = gate.allows(&post(&gate, "application/json", body.as_bytes())).audit;
    let recorded = audit.of("request_body");
    assert_eq!(recorded["content"], r#"{"a":1,"password":"[redacted]""#);
    assert_eq!(recorded["truncated"], true);
    assert!(!audit.text.contains("correct") && audit.is_complete(), "{}", audit.text);
}

#[test]
fn what_is_not_text_or_cannot_be_redacted_is_withheld() {
    let gate = capturing(&["password"]);
    for (content_type, body, why) in [
        ("application/octet-stream", &b"\x00\x01"[..], "content_type"),
        ("application/json", b"{\"a\": \"\xff\"}", "not_text"),
        ("application/json", b"password=1", "not_json"),
        ("text/plain", b"password: 1", "content_type"),
    ] {
        let audit = gate.allows(&post(&gate, content_type, body)).audit;
        let recorded = audit.of("request_body");
        assert_eq!(recorded["withheld"], why, "{}", audit.text);
        assert_eq!(recorded["content"], Value::Null);
        assert_eq!(recorded["sha256"], sha256(body));
    }
}

#[test]
fn a_body_that_does_not_end_says_so() {
    let gate = Plan::standard().set("/scopes/0/response_body", json!("digest")).alone().start();
    let running = get(format!("/v1/orders{TRICKLING}")).token(gate.mint().sign());
    drop(gate.begin(&running));
    let audit = recorded(&gate, &running);
    assert_eq!(audit.of("response_body")["complete"], false);

    let gate = recording(&json!("digest"), &json!("none"));
    let half = post(&gate, "text/plain", &[b'x'; 1000]);
    let mut connection = connect(gate.envoy.address());
    let bytes = half.bytes();
    connection.write_all(&bytes[..bytes.len() - 500]).unwrap();
    until("the upstream's turn", || {
        (gate.envoy.stats().of("cluster.upstream.upstream_rq_active") == 1).then_some(())
    });
    drop(connection);
    let audit = recorded(&gate, &half);
    assert_eq!(audit.of("request_body")["complete"], false);
    assert_eq!(audit.of("request_body")["bytes"], 500);
}

#[test]
fn nothing_is_recorded_of_the_bodies_of_what_is_refused() {
    let gate = capturing(&["password"]);
    let refused = post(&gate, "text/plain", b"x").header("x-http-method-override", "DELETE");
    let audit = gate.refuses(&refused, 400, "method_override").audit;
    assert!(!audit.text.contains("request_body") && !audit.text.contains("response_body"));
}

fn recorded(gate: &Gate, request: &Request) -> Audit {
    gate.envoy.record(&request.id).audit().unwrap().clone()
}
