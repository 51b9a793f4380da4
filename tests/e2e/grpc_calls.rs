//! gRPC: the same decisions, in the words of gRPC.

use breakglass_tests::approvals::{INTROSPECTION, Reply};
use breakglass_tests::client::request;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::grpc::{GrpcAnswer, call};
use serde_json::json;

const METHOD: &str = "/test.Orders/List";

fn call_with(gate: &Gate, path: &str, id: &str, token: &str) -> GrpcAnswer {
    call(gate.envoy.address(), path, &[("x-request-id", id), ("x-breakglass-token", token)])
}

/// The call is refused in a trailers-only answer, with everything recorded.
fn refuses(gate: &Gate, answer: &GrpcAnswer, id: &str, status: u16, reason: &str) {
    assert_eq!((answer.http_status, answer.status()), (200, Some(&*status.to_string())));
    let message = answer.message().unwrap();
    assert!(message.starts_with(&format!("{reason}: ")), "{message}");
    assert_eq!(answer.headers.get("content-type").unwrap(), "application/grpc");
    assert!(gate.upstream.saw(id).is_none());
    let record = gate.envoy.record(id);
    assert_eq!(record.details(), format!("breakglass_{reason}"));
    let audit = record.audit().unwrap();
    assert_eq!(audit.text_of("decision"), Some("deny"), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some(reason), "{}", audit.text);
}

#[test]
fn a_call_in_scope_reaches_the_upstream_and_its_status_the_client() {
    let gate = Gate::standard();
    let token = gate.mint().scope("grpc:call").sign();
    let answer = call_with(&gate, METHOD, "grpc-allowed", &token);
    assert_eq!((answer.http_status, answer.status()), (200, Some("0")));
    let seen = gate.upstream.saw("grpc-allowed").unwrap();
    assert_eq!(seen.header("x-breakglass-subject"), Some("alice@example.com"));
    let record = gate.envoy.record("grpc-allowed");
    assert_eq!(record.audit().unwrap().text_of("reason"), Some("permit"));
}

#[test]
fn a_call_without_a_token_passes() {
    let gate = Gate::standard();
    let answer = call(gate.envoy.address(), METHOD, &[("x-request-id", "grpc-passed")]);
    assert_eq!(answer.status(), Some("0"));
    assert!(gate.envoy.record("grpc-passed").audit().is_none());
}

#[test]
fn refusals_are_statuses_of_grpc() {
    let gate = Gate::standard();
    let good = gate.mint().scope("grpc:call").sign();
    let answer = call_with(&gate, METHOD, "grpc-16", "garbage");
    refuses(&gate, &answer, "grpc-16", 16, "token_malformed");
    let answer = call_with(&gate, METHOD, "grpc-7", &gate.mint().sign());
    refuses(&gate, &answer, "grpc-7", 7, "out_of_scope");
    let answer = call_with(&gate, "/test.Orders//List", "grpc-3", &good);
    refuses(&gate, &answer, "grpc-3", 3, "ambiguous_path");
    let protected = [("x-request-id", "grpc-missing")];
    let answer = call(gate.envoy.address(), "/admin/Users", &protected);
    refuses(&gate, &answer, "grpc-missing", 16, "token_missing");
    gate.approvals.reply(INTROSPECTION, Reply::status(500, ""));
    let answer = call_with(&gate, METHOD, "grpc-14", &good);
    refuses(&gate, &answer, "grpc-14", 14, "revocation_unknown");
}

#[test]
fn every_content_type_of_grpc_is_answered_in_grpc() {
    let gate = Plan::standard().set("/unauthenticated", json!("deny")).start();
    for (n, kind) in ["application/grpc", "application/grpc+proto"].iter().enumerate() {
        let id = format!("grpc-kind-{n}");
        let headers = [("x-request-id", id.as_str()), ("content-type", kind)];
        let answer = call(gate.envoy.address(), METHOD, &headers);
        refuses(&gate, &answer, &id, 16, "token_missing");
    }
}

#[test]
fn what_only_looks_like_grpc_is_answered_in_http() {
    let gate = Gate::standard();
    for kind in ["application/grpc-web", "application/grpc;x=y", "application/grpcx", "text/grpc"] {
        let request = request("POST", "/admin/x").header("content-type", kind).body("x");
        gate.refuses(&request, 401, "token_missing");
    }
}
