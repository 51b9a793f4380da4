//! Connect's conformance suite: Connect, gRPC and gRPC-Web, by HTTP/1.1 and HTTP/2.

use breakglass_tests::artefacts::root;

use super::gates::ProtocolGate;
use super::results::{Results, Suite, assert_all_equal};
use crate::application::{Application, built, protocols_python};

/// How many cases there are of what `connect-conformance.yaml` says.
const SUITE: Suite =
    Suite { name: "Connect conformance", cases: 1990, passes: 1990, passed: "passed" };

#[test]
fn connect_conformance_is_the_same_through_the_filter() {
    assert_all_equal(&SUITE, |variant, only| {
        let server = Application::new();
        let gate = ProtocolGate::start(variant, server.address());
        let ran = server.client_within(300, built("connectconformance"), |command| {
            let protocols = root().join("tests/platforms/protocols");
            let wrapper = root().join("tests/platforms/clients/connect_server.py");
            // One server after the other: each is on the port that Envoy knows.
            command.args(["--mode", "server", "--max-servers", "1", "--vv", "--conf"]);
            command.arg(protocols.join("connect-conformance.yaml"));
            command.args(only.iter().flat_map(|case| ["--run", case])).arg("--");
            command.arg(protocols_python()).arg("-B").arg(wrapper).arg(built("referenceserver"));
            command.arg(server.address().port().to_string()).arg(gate.port());
        });
        let output = format!("{}{}", ran.stdout, ran.stderr);
        let results = results(&output);
        if let Some((name, _)) = results.iter().find(|(_, result)| *result != "passed") {
            let said = output.split_once(&format!("FAILED: {name}"));
            println!("{variant:?}: {name}: {:.500}", said.map_or(&*output, |(_, said)| said));
        }
        // The deadline of such a case, a fifth of a second, may pass before its request has left a busy machine's client.
        let sent = results.keys().filter(|name| !name.starts_with("Timeouts/")).count();
        let enough = if only.is_some() { 0 } else { SUITE.cases / 4 * 3 };
        assert!(sent >= enough, "{sent} cases without a deadline");
        gate.assert_was_itself(sent);
        results
    });
}

/// Reads what the suite says of each case that it sent.
fn results(output: &str) -> Results {
    let name = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
    let sent = output.lines().filter(|line| line.starts_with("Sending request for "));
    let mut results: Results = sent.map(|line| (name(line), "passed".to_owned())).collect();
    for line in output.lines() {
        if let Some(failed) = line.strip_prefix("FAILED: ") {
            results.insert(failed.trim_end_matches(':').to_owned(), "failed".to_owned());
        }
    }
    let total = output.lines().find_map(|line| line.strip_prefix("Total cases: "));
    assert_eq!(total, Some(&*results.len().to_string()), "{output:.2000}");
    results
}
