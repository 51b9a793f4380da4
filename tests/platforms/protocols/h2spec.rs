//! h2spec: what HTTP/2 and HPACK ask of a server.

use std::collections::BTreeMap;
use std::fs;

use breakglass_tests::upstream::Upstream;

use super::gates::{ProtocolGate, Variant};
use super::results::{Results, Suite, assert_all_equal};
use crate::application::{Application, built};

/// Envoy fails a dozen of its cases.
const SUITE: Suite = Suite { name: "h2spec", cases: 145, passes: 130, passed: "passed" };

/// How long h2spec waits for an answer, in seconds. A dozen cases get none from Envoy, and take as long.
const PATIENCE_S: u32 = 2;

/// How long it waits where one gate answered and another one did not: a busy machine may only have been late.
const PATIENCE_AGAIN_S: u32 = 30;

#[test]
fn h2spec_is_the_same_through_the_filter() {
    let upstream = Upstream::start();
    let scratch = Application::new();
    let gates = Variant::ALL.map(|variant| ProtocolGate::start(variant, upstream.address()));
    assert_all_equal(&SUITE, |variant, only| {
        let gate = gates.iter().find(|gate| gate.variant() == variant).unwrap();
        let report = scratch.path(&format!("{variant:?}.xml"));
        let patience_s = if only.is_some() { PATIENCE_AGAIN_S } else { PATIENCE_S };
        let ran = scratch.client_within(300, built("h2spec"), |command| {
            command.args(["--port", &gate.port(), "--timeout", &patience_s.to_string()]);
            command.arg("--junit-report").arg(&report);
            command.args(only.and_then(|name| name.split(':').next()));
        });
        let report = fs::read_to_string(report);
        let cases = cases(&report.unwrap_or_else(|error| panic!("{error}: {ran:?}")));
        match (only, &cases[..]) {
            (None, _) => numbered(cases),
            // Alone it is the first of its section.
            (Some(name), [only]) if name.ends_with(&only.title) => {
                Results::from([(name.to_owned(), only.came.to_owned())])
            }
            (Some(name), others) => panic!("{name}: h2spec ran {others:?}"),
        }
    });
    for gate in gates {
        gate.assert_was_itself(SUITE.cases / 2);
    }
}

/// A case in h2spec's report.
#[derive(Debug)]
struct Case {
    section: String,
    title: String,
    came: &'static str,
}

/// Reads a report.
fn cases(report: &str) -> Vec<Case> {
    let case = |case: &str| {
        let attribute = |name: &str| {
            let rest = case.split_once(&format!("{name}=\"")).unwrap().1;
            rest.split_once('"').unwrap().0.to_owned()
        };
        let came = ["failure", "skipped", "error"];
        let came = came.into_iter().find(|what| case.contains(&format!("<{what}")));
        Case {
            section: attribute("package"),
            title: attribute("classname"),
            came: came.unwrap_or("passed"),
        }
    };
    report.split("<testcase ").skip(1).map(case).collect()
}

/// Calls each of all cases as an argument of h2spec does, by its section and its place in there, and by its title.
fn numbered(cases: Vec<Case>) -> Results {
    let mut places = BTreeMap::<String, u32>::new();
    let named = cases.into_iter().map(|Case { section, title, came }| {
        let place = places.entry(section.clone()).or_default();
        *place = place.saturating_add(1);
        (format!("{section}/{place}: {title}"), came.to_owned())
    });
    named.collect()
}
