//! gRPC's interoperability tests: grpc-go's client and server.

use super::gates::{ProtocolGate, Variant, until_listening};
use super::results::{Suite, assert_all_equal};
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
    let gates = Variant::ALL.map(|variant| ProtocolGate::start(variant, server.address()));
    assert_all_equal(&suite, |variant, only| {
        let gate = gates.iter().find(|gate| gate.variant() == variant).unwrap();
        let cases = CASES.into_iter().filter(|case| only.is_none_or(|only| only == *case));
        cases.map(|case| (case.to_owned(), run(&server, gate, case))).collect()
    });
    for gate in gates {
        gate.assert_was_itself(CASES.len());
    }
}

/// Runs a case: how it came out, with what the client said where it failed.
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
    if ran.success { "passed".to_owned() } else { format!("{}{}", ran.stdout, ran.stderr) }
}
