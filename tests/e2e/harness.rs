//! The harness itself, on an Envoy without the filter: what the other tests lean on is true.

use breakglass_tests::approvals::{FakeApprovals, INTROSPECTION, Reply};
use breakglass_tests::bootstrap::Settings;
use breakglass_tests::client::get;
use breakglass_tests::envoy::Envoy;
use breakglass_tests::grpc;
use breakglass_tests::upstream::Upstream;
use serde_json::json;
use tempfile::TempDir;

fn bare(upstream: &Upstream, approvals: &FakeApprovals) -> Envoy {
    let settings = Settings::new(None, upstream.address(), approvals.address());
    Envoy::start(settings, TempDir::new().unwrap())
}

#[test]
fn without_the_filter_requests_reach_the_upstream_as_they_were_sent() {
    let (upstream, approvals) = (Upstream::start(), FakeApprovals::start());
    let envoy = bare(&upstream, &approvals);
    let request = get("/a/../b//c?d=e").header("x-raw", b"\xff").body("hello");
    assert_eq!(request.send(envoy.address()).status, 200);
    let seen = upstream.saw(&request.id).unwrap();
    assert_eq!((seen.path.as_str(), seen.body_bytes), ("/a/../b//c?d=e", 5));
    assert_eq!(seen.header("x-raw"), Some("\u{fffd}"));
    let record = envoy.record(&request.id);
    assert_eq!((record.status(), record.details()), (Some(200), "via_upstream"));
    assert_eq!((record.decision(), record.audit().is_none()), (None, true));
}

#[test]
fn without_the_filter_the_role_alone_opens_what_is_guarded() {
    let (upstream, approvals) = (Upstream::start(), FakeApprovals::start());
    let envoy = bare(&upstream, &approvals);
    let refused = get("/guarded/x");
    assert_eq!(refused.send(envoy.address()).status, 403);
    assert_eq!(envoy.record(&refused.id).details(), "rbac_access_denied_matched_policy[none]");
    assert_eq!(get("/guarded/x").header("x-role", "admin").send(envoy.address()).status, 200);
}

#[test]
fn grpc_reaches_the_upstream_and_brings_its_status_in_trailers() {
    let (upstream, approvals) = (Upstream::start(), FakeApprovals::start());
    let envoy = bare(&upstream, &approvals);
    let answer = grpc::call(envoy.address(), "/test.Orders/List", &[("x-request-id", "grpc-1")]);
    assert_eq!((answer.http_status, answer.status()), (200, Some("0")));
    assert_eq!(upstream.saw("grpc-1").unwrap().body_bytes, 5);
}

#[test]
fn the_stand_in_for_the_approval_service_stops_and_starts_again() {
    let mut approvals = FakeApprovals::start();
    approvals.reply(INTROSPECTION, Reply::json(&json!({"active": true})));
    let ask = |approvals: &FakeApprovals| get(INTROSPECTION).send(approvals.address());
    assert_eq!(ask(&approvals).json()["active"], true);
    approvals.stop();
    approvals.start_again();
    assert_eq!(ask(&approvals).status, 200);
    assert_eq!(approvals.calls(INTROSPECTION).len(), 2);
}
