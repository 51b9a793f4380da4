//! h2spec: what HTTP/2 and HPACK ask of a server.

use std::fs;

use breakglass_tests::upstream::Upstream;

use super::gates::ProtocolGate;
use super::results::{Results, assert_all_equal};
use crate::application::{Application, built};

/// How many cases there are.
const CASES: usize = 145;

/// Cases that end in more than one way at the same gate, with the filter and without it, and why.
const RACES: [(&str, &str); 0] = [];

#[test]
fn h2spec_is_the_same_through_the_filter() {
    let upstream = Upstream::start();
    let scratch = Application::new();
    assert_all_equal("h2spec", CASES, &RACES, |variant| {
        let gate = ProtocolGate::start(variant, upstream.address());
        let report = scratch.path(&format!("{variant:?}.xml"));
        let ran = scratch.client_within(300, built("h2spec"), |command| {
            // A case that Envoy leaves without an answer takes as long; one that a busy machine answers late is no such.
            command.args(["--port", &gate.port(), "--timeout", "4", "--junit-report"]).arg(&report);
        });
        let report = fs::read_to_string(report);
        let report = report.unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        gate.assert_was_itself(CASES / 2);
        results(&report)
    });
}

/// Reads h2spec's report. Two cases of one section may have the same title: they are numbered.
fn results(report: &str) -> Results {
    let mut results = Results::new();
    for case in report.split("<testcase ").skip(1) {
        let attribute = |name: &str| {
            let rest = case.split_once(&format!("{name}=\"")).unwrap().1;
            rest.split_once('"').unwrap().0
        };
        let came = ["failure", "skipped", "error"];
        let came = came.iter().find(|what| case.contains(&format!("<{what}")));
        let name = format!("{}: {}", attribute("package"), attribute("classname"));
        let numbered = (1..).map(|number| match number {
            1 => name.clone(),
            _ => format!("{name} ({number})"),
        });
        let free = numbered.into_iter().find(|name| !results.contains_key(name));
        results.insert(free.unwrap(), (*came.unwrap_or(&"passed")).to_owned());
    }
    results
}
