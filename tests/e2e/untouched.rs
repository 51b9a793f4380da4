//! Requests that carry nothing of the filter's: neither an empty map nor a host that fails touches them.

use std::collections::BTreeSet;
use std::path::Path;

use breakglass_tests::artefacts;
use breakglass_tests::client::{get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{SOCKET, TRICKLING};
use breakglass_tests::record::Record;
use breakglass_tests::trailers::{Came, Sent, When, send};
use breakglass_tests::wait::until;
use http::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::carriers::manager;

/// A request whose trailers are an empty block of headers.
fn emptily<'a>(path: &'a str, headers: &'a [(&'a str, &'a str)]) -> Sent<'a> {
    Sent { method: "POST", path, headers, trailers: HeaderMap::new(), when: When::AtOnce }
}

fn assert_passed(gate: &Gate, came: &Came) -> Record {
    assert_eq!((came.status, &came.broken), (200, &None), "{came:?}");
    let record = gate.envoy.record(&came.id);
    assert!(record.audit().is_none() && record.decision().is_none(), "{}", record.line());
    record
}

#[test]
fn an_empty_block_of_trailers_is_none_of_ours() {
    for plan in [Plan::standard(), Plan::standard().set("/enforcement", json!("shadow"))] {
        let gate = plan.alone().start();
        let came = send(gate.envoy.address(), &emptily("/v1/orders", &[]));
        assert_passed(&gate, &came);
        let seen = gate.upstream.saw(&came.id).unwrap();
        assert_eq!((seen.body_bytes, seen.trailers), (5, vec![]));
        // Nor does it bring back what was removed.
        let spoofed = [("x-breakglass-grant", "forged")];
        let came = send(gate.envoy.address(), &emptily("/v1/orders", &spoofed));
        assert_passed(&gate, &came);
        assert_eq!(gate.upstream.saw(&came.id).unwrap().header("x-breakglass-grant"), None);
        gate.counts("pass", "no_token", 2);
        gate.still_serves();
        assert_eq!(gate.envoy.stats().ending_with(".reason.internal_error"), 0);
    }
}

#[test]
fn a_permit_goes_on_after_an_empty_block_of_trailers_and_has_its_record() {
    let gate = Gate::standard();
    for (method, path, scope, when) in [
        ("POST", "/v1/orders".to_owned(), "orders:write", When::AtOnce),
        ("GET", format!("/v1/orders{TRICKLING}"), "orders:read", When::Begun),
    ] {
        let mint = gate.mint().scope(scope);
        let token = mint.sign();
        let headers = [("x-breakglass-token", &*token)];
        let sent = Sent { method, when, ..emptily(&path, &headers) };
        let came = send(gate.envoy.address(), &sent);
        assert_eq!((came.status, &came.broken), (200, &None), "{came:?}");
        let record = gate.envoy.record(&came.id);
        let audit = record.audit().unwrap();
        let said = ["decision", "reason", "grant", "phase"].map(|member| audit.text_of(member));
        assert_eq!(said, [Some("allow"), Some("permit"), Some(mint.grant()), Some("end")]);
        assert_eq!((audit.text_of("path"), audit.of("status")), (Some(&*path), &json!(200)));
    }
    gate.still_serves();
}

#[test]
fn a_refusal_stays_one_after_an_empty_block_of_trailers() {
    let gate = Gate::standard();
    let came = send(gate.envoy.address(), &emptily("/admin/users", &[]));
    assert_eq!(came.status, 401, "{came:?}");
    let record = gate.envoy.record(&came.id);
    let audit = record.audit().unwrap();
    assert_eq!(audit.text_of("reason"), Some("token_missing"));
    assert_eq!(audit.text_of("path"), Some("/admin/users"));
    assert!(gate.upstream.saw(&came.id).is_none());
    gate.still_serves();
}

#[test]
fn a_stream_that_has_begun_is_not_cut_by_an_empty_block_of_trailers() {
    let gate = Gate::standard();
    let path = format!("/v1/orders{TRICKLING}");
    let sent = Sent { method: "GET", when: When::Begun, ..emptily(&path, &[]) };
    let came = send(gate.envoy.address(), &sent);
    assert!(came.body.len() > 100, "{came:?}");
    assert_passed(&gate, &came);
    gate.still_serves();
}

#[test]
fn a_websocket_is_not_cut_by_an_empty_block_of_trailers() {
    let gate = Plan::standard().start_with(|settings| {
        let mut bootstrap = settings.bootstrap(Path::new(""));
        manager(&mut bootstrap)["http2_protocol_options"] = json!({"allow_connect": true});
        for cluster in bootstrap["static_resources"]["clusters"].as_array_mut().unwrap() {
            let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
            if cluster["name"] == "upstream" {
                cluster["typed_extension_protocol_options"] = json!({options: {
                    "@type": format!("type.googleapis.com/{options}"),
                    "explicit_http_config": {"http_protocol_options": {}},
                }});
            }
        }
        bootstrap.to_string()
    });
    let path = format!("/v1/orders{SOCKET}");
    let headers =
        [("sec-websocket-version", "13"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")];
    let sent = Sent { method: "CONNECT", when: When::Switched, ..emptily(&path, &headers) };
    let came = send(gate.envoy.address(), &sent);
    assert!(came.body.len() > 100, "{came:?}");
    assert_passed(&gate, &came);
    gate.still_serves();
}

/// The filter's own count of what passed although something failed.
fn passed_on(gate: &Gate, what: &str, times: u64) {
    let name = format!("wasmcustom.breakglass.untouched_failure.result.{what}");
    until(&name, || (gate.envoy.stats().of(&name) == times).then_some(()));
}

#[test]
fn without_a_clock_what_is_not_ours_passes_and_everything_else_is_refused() {
    let clock = "proxy_get_current_time_nanoseconds";
    let gate = Plan::standard().forbidding(clock).start();
    let passed = gate.passes(&get("/v1/orders").header("x-breakglass-subject", "forged"));
    assert_eq!(passed.seen.header("x-breakglass-subject"), None);
    let trailers = |name: &'static str| {
        HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static("x"))])
    };
    let empty = send(gate.envoy.address(), &emptily("/v1/orders", &[]));
    assert_passed(&gate, &empty);
    let other = Sent { trailers: trailers("x-other"), ..emptily("/v1/orders", &[]) };
    assert_passed(&gate, &send(gate.envoy.address(), &other));
    // Two of these passed their headers and their trailers.
    passed_on(&gate, "clock", 5);
    let said = "the host gives no time; requests that carry nothing";
    assert_eq!(gate.envoy.log().matches(said).count(), 1);
    let refused = |id: &str, status: u16| {
        assert_eq!(status, 500);
        assert_eq!(gate.envoy.record(id).details(), "breakglass_internal_error");
        assert!(gate.upstream.saw(id).is_none_or(|seen| seen.trailers.is_empty()));
    };
    for request in [
        get("/v1/orders").token(gate.mint().sign()),
        get("/v1/orders").token("nonsense"),
        get("/admin/users"),
        get("/x").header("x-original-url", "/admin/users"),
    ] {
        refused(&request.id, gate.send(&request).status);
        assert!(gate.upstream.saw(&request.id).is_none());
    }
    // Trailers of ours are ours.
    let ours = Sent { trailers: trailers("x-breakglass-grant"), ..emptily("/v1/orders", &[]) };
    let came = send(gate.envoy.address(), &ours);
    refused(&came.id, came.status);
    gate.has_its_first_vms();
    let deny = Plan::standard().set("/unauthenticated", json!("deny")).forbidding(clock).start();
    let request = get("/v1/orders");
    assert_eq!(deny.send(&request).status, 500);
    assert!(deny.upstream.saw(&request.id).is_none());
}

#[test]
fn headers_that_cannot_be_read_are_nobodys_to_pass() {
    let gate = Plan::standard().forbidding("proxy_get_header_map_pairs").start();
    for request in [get("/v1/orders"), get("/v1/orders").token(gate.mint().sign())] {
        let answer = gate.send(&request);
        let problem = answer.json();
        assert_eq!((answer.status, &problem["reason"]), (500, &json!("internal_error")));
        assert!(gate.upstream.saw(&request.id).is_none());
    }
    gate.has_its_first_vms();
}

#[test]
fn a_trailer_of_ours_that_cannot_be_taken_away_does_not_pass() {
    let gate = Plan::standard().forbidding("proxy_remove_header_map_value").start();
    assert_passed(&gate, &send(gate.envoy.address(), &emptily("/v1/orders", &[])));
    let name = "x-breakglass-grant".parse().unwrap();
    let trailers = HeaderMap::from_iter([(name, HeaderValue::from_static("forged"))]);
    let ours = Sent { trailers, ..emptily("/v1/orders", &[]) };
    let came = send(gate.envoy.address(), &ours);
    assert_eq!(came.status, 500, "{came:?}");
    assert!(gate.upstream.saw(&came.id).is_none_or(|seen| seen.trailers.is_empty()));
    gate.has_its_first_vms();
}

/// The host functions that are judged elsewhere: without the first three there is no configuration, and so no
/// listener; without the last one no headers are read.
const OTHERS: [&str; 4] = [
    "proxy_get_buffer_bytes",
    "proxy_set_tick_period_milliseconds",
    "proxy_log",
    "proxy_get_header_map_pairs",
];

/// The host functions that the filter calls: those that it declares, and those of the SDK.
fn host_functions() -> BTreeSet<String> {
    let source = std::fs::read_to_string(artefacts::root().join("src/host/ffi.rs")).unwrap();
    let declared = source.lines().filter_map(|line| line.trim().strip_prefix("fn proxy_"));
    let names = declared.filter_map(|rest| rest.split('(').next());
    let names = names.map(|name| format!("proxy_{name}"));
    names.chain(["proxy_http_call", "proxy_log"].map(str::to_owned)).collect()
}

#[test]
fn no_host_call_that_fails_touches_what_is_not_ours() {
    let functions = host_functions();
    for known in OTHERS.iter().chain(&["proxy_get_property", "proxy_http_call"]) {
        assert!(functions.contains(*known), "{known}: {functions:?}");
    }
    for function in functions.into_iter().filter(|name| !OTHERS.contains(&name.as_str())) {
        println!("without {function}");
        let gate = Plan::standard().forbidding(function.leak()).start();
        gate.passes(&get("/v1/orders"));
        gate.passes(&request("POST", "/v1/orders").body("hello"));
        assert_passed(&gate, &send(gate.envoy.address(), &emptily("/v1/orders", &[])));
        let path = format!("/v1/orders{TRICKLING}");
        let sent = Sent { method: "GET", when: When::Begun, ..emptily(&path, &[]) };
        assert_passed(&gate, &send(gate.envoy.address(), &sent));
    }
}
