//! A record without a seal proves nothing: it must agree with the sealed record of its stream, and is
//! called unproven wherever it is shown.

use serde_json::{Value, json};

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, GRANT, Vm, heads};

const DECISION: Call<'static> = Call { phase: "decision", ..END };

/// A log of three requests, and one decision more, which `change` makes of the true one of request 2.
struct Log {
    folder: Folder,
    lines: Vec<String>,
    decision: String,
    heads: Value,
}

impl Log {
    fn new() -> Log {
        let mut vm = Vm::new('a');
        let lines = vm.ends(3);
        let decision = vm.write(&Call { request: Some(2), ..DECISION });
        Log { folder: Folder::new(), lines, decision, heads: heads([&vm]) }
    }

    fn run(&self, verb: &[&str], lines: &[String]) -> Ran {
        let heads = self.folder.file("heads.json", self.heads.to_string());
        let log = self.folder.lines("access.log", lines);
        let mut command = breakglass();
        command.arg("audit").args(verb).args(["--json", "--heads"]).arg(heads).arg(log);
        Ran::from(command.output().unwrap())
    }

    /// With this decision in every place: the exit code, and the kinds and lines that were found.
    fn verify(&self, decision: &str) -> Vec<(i32, Vec<(String, u64)>)> {
        let verdicts = (0..=self.lines.len()).map(|at| {
            let mut lines = self.lines.clone();
            lines.insert(at, decision.to_owned());
            let ran = self.run(&["verify"], &lines);
            let json = ran.json();
            let of = |class: &str| json[class]["findings"].as_array().unwrap().clone();
            let found = of("integrity").into_iter().chain(of("completeness"));
            let found = found.map(|found| {
                let kind = found["kind"].as_str().unwrap().to_owned();
                (kind, found["line"].as_u64().unwrap())
            });
            (ran.code, found.collect())
        });
        verdicts.collect()
    }
}

#[test]
fn a_decision_that_agrees_with_its_sealed_record_is_no_finding_wherever_it_stands() {
    let log = Log::new();
    assert_eq!(log.verify(&log.decision), vec![(0, vec![]); 4]);
    // What the end may change, and what only one of them says.
    for (from, to) in [
        ("\"allow\"", "\"cut\""),
        ("\"permit\"", "\"revoked\""),
        ("\"epoch\":null", "\"epoch\":7"),
        ("\"revocation_source\":\"introspection\"", "\"revocation_source\":\"feed\""),
        ("\"scope\":\"orders:read\"", "\"scope\":null"),
        ("02:13:00.002Z", "02:13:00.001Z"),
        ("\"status\":200", "\"status\":null"),
    ] {
        let changed = log.decision.replace(from, to);
        assert_ne!(changed, log.decision, "{from}");
        assert_eq!(log.verify(&changed), vec![(0, vec![]); 4], "{to}");
    }
}

#[test]
fn a_decision_that_says_something_else_than_its_sealed_record_is_contradicted() {
    let log = Log::new();
    for (from, to) in [
        ("\"GET\"", "\"DELETE\""),
        ("\"/v1/orders/17\"", "\"/v1/ledger\""),
        ("\"alice@example.com\"", "\"mallory@example.com\""),
        ("\"orders.internal\"", "\"ledger.internal\""),
        ("\"orders:read\"", "\"orders:write\""),
        ("\"10.0.0.7\"", "\"10.0.0.8\""),
        ("[\"carol@example.com\"]", "[]"),
        ("\"emergency\":false", "\"emergency\":true"),
        ("\"expires_in_s\":1799", "\"expires_in_s\":1"),
        ("\"issuer\":\"https", "\"issuer\":\"http"),
        ("\"request_id\":\"aaaa-000002\"", "\"request_id\":\"x\""),
    ] {
        let changed = log.decision.replacen(from, to, 1);
        assert_ne!(changed, log.decision, "{from}");
        let expected: Vec<_> =
            (1..=4).map(|line| (4, vec![("contradicted".to_owned(), line)])).collect();
        assert_eq!(log.verify(&changed), expected, "{to}");
    }
}

#[test]
fn two_decisions_of_one_stream_are_both_judged() {
    let log = Log::new();
    let mut lines = log.lines.clone();
    lines.insert(0, log.decision.clone());
    lines.insert(1, log.decision.replace("\"GET\"", "\"PUT\""));
    let ran = log.run(&["verify"], &lines);
    assert_eq!((ran.code, &ran.json()["integrity"]["counts"]), (4, &json!({ "contradicted": 1 })));
    assert_eq!(ran.json()["integrity"]["findings"][0]["line"], 2);
}

#[test]
fn a_decision_of_a_stream_that_is_nowhere_has_no_end() {
    let log = Log::new();
    for changed in ["\"stream\":9", "\"stream\":null"] {
        let decision = log.decision.replace("\"stream\":2", changed);
        for (code, found) in log.verify(&decision) {
            assert_eq!((code, found[0].0.as_str(), found.len()), (5, "no_end", 1), "{changed}");
        }
    }
}

#[test]
fn a_report_calls_proven_only_what_a_head_vouches_for() {
    let mut log = Log::new();
    let mut vm = Vm::new('a');
    vm.ends(3);
    let after = vm.write(&END);
    let lost = vm.write(&Call { request: Some(9), ..DECISION });
    let unreported = Vm::new('c').ends(1).remove(0);
    log.lines.extend([after, lost, unreported]);
    log.lines.insert(1, log.decision.replace("\"GET\"", "\"DELETE\""));
    log.lines.insert(2, log.decision.clone());
    let proofs = |ran: &Ran| -> Vec<(u64, String, bool)> {
        let calls = ran.json()["calls"].as_array().unwrap().clone();
        let mut proofs: Vec<_> = calls
            .iter()
            .map(|call| {
                let proof = call["proof"].as_str().unwrap().to_owned();
                (call["line"].as_u64().unwrap(), proof, call["intact"].as_bool().unwrap())
            })
            .collect();
        proofs.sort();
        proofs
    };
    let proof = |line, word: &str, intact| (line, word.to_owned(), intact);
    let ran = log.run(&["report", "--log-only", "--grant", GRANT], &log.lines);
    assert_eq!(
        proofs(&ran),
        [
            proof(1, "proven", true),
            // The true decision is left out for its end; the one that is at odds with it is not.
            proof(2, "contradicted", false),
            proof(4, "proven", true),
            proof(5, "proven", true),
            proof(6, "sealed", true),
            proof(7, "unproven", false),
            proof(8, "sealed", true),
        ]
    );
    let summary = &ran.json()["summary"];
    assert_eq!(
        summary["proofs"],
        json!({ "contradicted": 1, "proven": 3, "sealed": 2, "unproven": 1 })
    );
    // What nothing ties to its proxy but that it was the first to be reported is not proven.
    log.heads["heads"][0]["proof"] = "first_report".into();
    let ran = log.run(&["report", "--log-only", "--grant", GRANT], &log.lines[..1]);
    assert_eq!(proofs(&ran), [proof(1, "sealed", true)]);
    let mut whole = Vm::new('a');
    let ran = log.run(&["report", "--log-only", "--grant", GRANT], &whole.ends(3));
    assert_eq!(ran.json()["summary"]["proofs"], json!({ "first_report": 3 }));
    // Without heads nothing is proven.
    let path = log.folder.lines("access.log", &log.lines[..1]);
    let mut command = breakglass();
    command.args(["audit", "report", "--log-only", "--json", "--grant", GRANT]).arg(path);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(proofs(&ran), [proof(1, "sealed", true)]);
}

#[test]
fn a_record_of_a_chain_with_a_breach_is_not_proven() {
    let log = Log::new();
    let mut lines = log.lines.clone();
    lines[2] = lines[2].replace("\"GET\"", "\"PUT\"");
    let ran = log.run(&["report", "--log-only", "--grant", GRANT], &lines);
    let words: Vec<_> = ran.json()["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["proof"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(words, ["sealed", "sealed", "changed"]);
    // Nor is one before a hole, which no head reaches.
    let ran = log.run(&["report", "--log-only", "--grant", GRANT], &[lines[0].clone()]);
    assert_eq!(ran.json()["calls"][0]["proof"], "sealed");
}
