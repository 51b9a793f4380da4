//! gRPC's interoperability tests: grpc-go's client and server.

use super::gates::{ProtocolGate, until_listening};
use super::results::{Results, Suite, assert_all_equal};
use crate::application::{Application, built};

/// Those that take no credentials of a cloud.
const CASES: [&str; 16] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "rpc_soak",
    "channel_soak",
];

#[test]
fn grpc_interop_is_the_same_through_the_filter() {
    let mut server = Application::new();
    let port = server.address().port().to_string();
    server.spawn(built("server"), |command| {
        command.args(["-port", &port]);
    });
    until_listening(server.address());
    let cases = CASES.len();
    let suite = Suite { name: "gRPC interop", cases, passes: cases, passed: "passed" };
    assert_all_equal(&suite, |variant| {
        let gate = ProtocolGate::start(variant, server.address());
        let results: Results =
            CASES.iter().map(|case| ((*case).to_owned(), run(&server, &gate, case))).collect();
        gate.assert_was_itself(CASES.len());
        results
    });
}

fn run(server: &Application, gate: &ProtocolGate, case: &str) -> String {
    let ran = server.client(built("client"), |command| {
        command.args(["-server_host", "127.0.0.1", "-server_port", &gate.port()]);
        // A busy machine takes its time for a call.
        command.args([
            "-test_case",
            case,
            "-soak_per_iteration_max_acceptable_latency_ms",
            "10000",
        ]);
    });
    assert!(ran.success, "{case}: {}{}", ran.stdout, ran.stderr);
    "passed".to_owned()
}
