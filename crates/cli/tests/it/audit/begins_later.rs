//! `--since`: what was reported before need not be in the log, and nothing else.

use serde_json::{Value, json};

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Folder, GRANT, Vm, heads};

const BEFORE: &str = "2026-11-22T02:12:00Z";
const SINCE: [&str; 2] = ["--since", "2026-11-22T02:12:30Z"];

/// A chain of 20 records, the first ten of which were reported before the log begins.
struct Log {
    folder: Folder,
    lines: Vec<String>,
    early: Value,
    late: Value,
}

impl Log {
    fn new() -> Log {
        let mut vm = Vm::new('a');
        let mut lines = vm.ends(10);
        let mut early = vm.head();
        early["reported_at"] = BEFORE.into();
        lines.extend(vm.ends(10));
        Log { folder: Folder::new(), lines, early, late: vm.head() }
    }

    /// The exit code, and the kinds and numbers that were found.
    fn verify(&self, lines: &[String], arguments: &[&str]) -> (i32, Vec<(String, u64, u64)>) {
        let ran = self.run(lines, arguments);
        let json = ran.json();
        let of = |class: &str| json[class]["findings"].as_array().unwrap().clone();
        let found = of("integrity").into_iter().chain(of("completeness"));
        let number = |found: &Value, name: &str| found[name].as_u64().unwrap_or_default();
        let found = found.map(|found| {
            let kind = found["kind"].as_str().unwrap().to_owned();
            (kind, number(&found, "seq"), number(&found, "last_seq"))
        });
        (ran.code, found.collect())
    }

    fn run(&self, lines: &[String], arguments: &[&str]) -> Ran {
        let page = json!({ "as_of": "2026-11-22T02:21:00Z", "heads": [self.early, self.late] });
        let heads = self.folder.file("heads.json", page.to_string());
        let log = self.folder.lines("access.log", lines);
        let mut command = breakglass();
        command.args(["audit", "verify", "--json", "--heads"]).arg(heads).args(arguments).arg(log);
        Ran::from(command.output().unwrap())
    }
}

fn found(kind: &str, first: u64, last: u64) -> (String, u64, u64) {
    (kind.to_owned(), first, last)
}

#[test]
fn only_what_was_reported_before_may_be_absent() {
    let log = Log::new();
    assert_eq!(log.verify(&log.lines, &SINCE), (0, vec![]), "all of it is there");
    for first in [1, 5, 10] {
        assert_eq!(log.verify(&log.lines[first..], &SINCE), (0, vec![]), "from {first} on");
    }
    // Without it they are missing, and so is what was reported later.
    assert_eq!(log.verify(&log.lines[10..], &[]), (5, vec![found("missing", 1, 10)]));
    assert_eq!(log.verify(&log.lines[11..], &SINCE), (5, vec![found("missing", 11, 11)]));
    assert_eq!(log.verify(&log.lines[19..], &SINCE), (5, vec![found("missing", 11, 19)]));
    let holed = [&log.lines[4..12], &log.lines[13..]].concat();
    assert_eq!(log.verify(&holed, &SINCE), (5, vec![found("missing", 13, 13)]));
    assert_eq!(log.verify(&log.lines[4..18], &SINCE), (5, vec![found("cut_tail", 19, 20)]));
    let nothing: [String; 0] = [];
    assert_eq!(log.verify(&nothing, &SINCE), (5, vec![found("absent_chain", 11, 20)]));
}

#[test]
fn the_moment_itself_is_after() {
    // A report says its second: it may have come at the end of it.
    let mut log = Log::new();
    for (reported_at, code) in
        [("2026-11-22T02:12:29Z", 0), ("2026-11-22T02:12:30Z", 5), ("2026-11-22T02:12:31Z", 5)]
    {
        log.early["reported_at"] = reported_at.into();
        assert_eq!(log.verify(&log.lines[10..], &SINCE).0, code, "{reported_at}");
    }
}

#[test]
fn a_chain_that_was_reported_before_alone_may_be_absent_and_is_judged_where_it_is_there() {
    let mut log = Log::new();
    log.late["reported_at"] = BEFORE.into();
    let ran = log.run(&[], &SINCE);
    assert_eq!((ran.code, &ran.json()["verdict"]), (7, &json!("nothing_checked")));
    assert_eq!(log.verify(&log.lines, &SINCE), (0, vec![]));
    assert_eq!(log.verify(&log.lines[..5], &SINCE), (0, vec![]), "no more was to be there");
    let changed =
        log.lines.iter().map(|line| line.replacen("alice", "malice", 1)).collect::<Vec<_>>();
    assert_eq!(log.verify(&changed[..1], &SINCE).0, 4);
}

#[test]
fn what_stands_before_an_excused_hole_is_vouched_for_by_its_own_heads_alone() {
    let mut log = Log::new();
    let mut early = Vm::new('a');
    early.ends(3);
    let mut first = early.head();
    first["reported_at"] = BEFORE.into();
    let holed = [&log.lines[..3], &log.lines[10..]].concat();
    assert_eq!(log.verify(&holed, &SINCE), (5, vec![found("unvouched", 1, 3)]));
    // One that was rewritten is told from one that was reported.
    log.early = first;
    let tail = log.late.clone();
    let mut vm = Vm::new('a');
    let lines = vm.ends(10);
    let mut middle = vm.head();
    middle["reported_at"] = BEFORE.into();
    let page = json!({ "as_of": "2026-11-22T02:21:00Z", "heads": [log.early, middle, tail] });
    assert_eq!(lines[..3], log.lines[..3]);
    let heads = log.folder.file("heads.json", page.to_string());
    let file = log.folder.lines("access.log", &holed);
    let mut command = breakglass();
    command.args(["audit", "verify", "--heads"]).arg(heads).args(SINCE).arg(file);
    assert_eq!(Ran::from(command.output().unwrap()).code, 0);
}

#[test]
fn counts_of_grants_are_excused_by_what_was_reported_before_too() {
    let mut log = Log::new();
    assert_eq!(log.early["grants"][GRANT], 10);
    assert_eq!(log.verify(&log.lines[10..], &SINCE), (0, vec![]));
    // The proxy has counted one more than there are numbers.
    log.late["grants"][GRANT] = 21.into();
    assert_eq!(log.verify(&log.lines[10..], &SINCE), (5, vec![found("grant_short", 0, 0)]));
    let short = &log.run(&log.lines[10..], &SINCE).json()["short_grants"][0];
    assert_eq!((&short["found"], &short["expected"]), (&json!(10), &json!(11)));
    // Records from before say nothing about those after.
    assert_eq!(log.verify(&log.lines, &SINCE), (5, vec![found("grant_short", 0, 0)]));
}

#[test]
fn only_one_node_is_judged_where_one_is_asked_for() {
    let folder = Folder::new();
    let (mut mine, mut other) = (Vm::new('a'), Vm::new('b'));
    let mut lines = mine.ends(5);
    lines.extend(other.ends(5));
    let mut reported = heads([&mine, &other]);
    reported["heads"][1]["node"] = "gate-2".into();
    let heads = folder.file("heads.json", reported.to_string());
    let run = |lines: &[String], node: &str| {
        let log = folder.lines("access.log", lines);
        let mut command = breakglass();
        command.args(["audit", "verify", "--json", "--node", node, "--heads"]).arg(&heads).arg(log);
        Ran::from(command.output().unwrap())
    };
    for node in ["gate-1", "gate-2"] {
        let ran = run(&lines, node);
        assert_eq!((ran.code, &ran.json()["checked"]), (0, &json!(5)), "{:#}", ran.json());
        assert_eq!(ran.json()["notes"]["counts"], json!({ "other_node": 5 }));
    }
    assert_eq!(run(&lines[..5], "gate-2").code, 5, "its chain is absent");
    // A name that no node has is no reason to say that all is well.
    assert_eq!(run(&lines, "gate-3").code, 7);
}
