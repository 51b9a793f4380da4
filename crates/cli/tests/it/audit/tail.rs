//! `breakglass audit tail`: the real binary on a log that is being written.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use super::export::{HOSTILE, is_harmless};
use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, Vm, heads, wrapped};

#[test]
fn shows_the_last_records_and_then_each_as_it_comes_through_rotation() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let path = folder.lines("access.log", &vm.ends(5));
    let mut command = breakglass();
    command.args(["audit", "tail", "-n", "2"]).arg(&path);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    for number in [4, 5] {
        let line = next();
        assert!(line.starts_with(&format!("2026-11-22T02:13:00.00{number}Z allow")), "{line}");
    }
    let mut append = |call: &Call<'_>| {
        let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        writeln!(file, "not ours\n{}", wrapped(&vm.write(call))).unwrap();
    };
    append(&Call { decision: "deny", reason: "revoked", ..END });
    assert!(
        next().contains("deny  revoked alice@example.com GET 200 orders.internal/v1/orders/17")
    );
    append(&END);
    fs::rename(&path, path.with_extension("1")).unwrap();
    append(&Call { phase: "start", ..END });
    assert!(next().contains("allow permit"), "what was written before the rotation");
    assert!(next().ends_with("(begins)"), "and after");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_no_terminal_gets_no_colour_and_no_record_steers_one() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let hostile = vm.write(&Call { path: "/\u{1b}[2J\u{202e}", ..END });
    let changed = vm.write(&END).replace("\"GET\"", "\"PUT\"");
    let path = folder.lines("access.log", &[hostile.clone(), changed]);
    let run = |arguments: &[&str]| {
        let mut command = breakglass();
        command.args(["audit", "tail", "--no-follow"]).args(arguments).arg(&path);
        Ran::from(command.output().unwrap()).done()
    };
    let text = run(&[]);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    assert!(text.contains("orders.internal/\u{fffd}[2J\u{fffd}"), "{text}");
    assert!(text.lines().last().unwrap().contains("CHANGED"), "{text}");
    let json = run(&["--json", "-n", "2"]);
    let shown = json.lines().next().unwrap();
    assert_eq!(shown, hostile.replace('\u{202e}', "\\u202e"));
    assert_eq!(run(&["-n", "0"]), "");
}

#[test]
fn what_was_used_under_other_rules_than_were_approved_is_said_to_be() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let (approved, wider) = ("a".repeat(64), "b".repeat(64));
    let rules = [None, Some((&*approved, &*approved)), Some((&*wider, &*approved))];
    let lines = rules.map(|rules| vm.write(&Call { rules, ..END }));
    let mut command = breakglass();
    command.args(["audit", "tail", "--no-follow"]).arg(folder.lines("access.log", &lines));
    let text = Ran::from(command.output().unwrap()).done();
    let said: Vec<bool> =
        text.lines().map(|line| line.ends_with(", by other rules than were approved")).collect();
    assert_eq!(said, [false, false, true], "{text}");
}

#[test]
fn what_proves_nothing_and_what_is_damaged_is_said_to_be() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let sealed = vm.write(&END);
    let lines = [
        sealed.clone(),
        vm.write(&Call { phase: "decision", ..END }),
        vm.write(&END).replace("\"GET\"", "\"PUT\""),
        vm.write(&END).replace("\"status\":200,", "\"status\":\u{202e},"),
        "no record".to_owned(),
        format!("2026-11-22T02:13:00.1Z stdout P {}", &sealed[..500]),
        format!("2026-11-22T02:13:00.1Z stdout F {}", &sealed[500..]),
    ];
    let path = folder.lines("access.log", &lines);
    let run = |arguments: &[&str]| {
        let mut command = breakglass();
        command.args(["audit", "tail", "--no-follow"]).args(arguments).arg(&path);
        Ran::from(command.output().unwrap())
    };
    let text = run(&[]).done();
    let shown: Vec<&str> = text.lines().collect();
    assert_eq!(shown.len(), 5, "{text}");
    for (line, words) in [
        (0, "345 bytes"),
        (1, "(no end yet) unproven: it has no seal"),
        (2, "CHANGED: its hash is not that of its text"),
        (3, "DAMAGED: it cannot be read as a record any more: expected value"),
        (4, "345 bytes"),
    ] {
        assert!(shown[line].contains(words), "{text}");
    }
    assert!(!text.contains('\u{202e}') && shown[3].contains("{\"v\":1,\"time\":"), "{text}");
    // As JSON stdout has the records, and stderr what is to be known of them.
    let ran = run(&["--json"]);
    assert_eq!(ran.stdout.lines().count(), 4, "{ran:?}");
    assert!(ran.stderr.contains("CHANGED") && ran.stderr.contains("DAMAGED"), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 2, "{ran:?}");
}

#[test]
fn records_that_were_printed_as_json_verify_when_they_are_read_again() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let mut record = || vm.write(&Call { path: HOSTILE, ..END });
    let path = folder.lines("access.log", &[record(), wrapped(&record()), record()]);
    let mut command = breakglass();
    command.args(["audit", "tail", "--no-follow", "--json"]).arg(&path);
    let printed = Ran::from(command.output().unwrap()).done();
    assert!(is_harmless(&printed), "{printed}");
    let heads = folder.file("heads.json", heads([&vm]).to_string());
    let mut command = breakglass();
    command.args(["audit", "verify", "--heads"]).arg(heads).arg(folder.file("printed", printed));
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// In a terminal there is colour, unless `NO_COLOR` says otherwise.
#[test]
fn a_terminal_gets_colour_unless_it_wants_none() {
    let folder = Folder::new();
    let path = folder.lines("access.log", &Vm::new('a').ends(1));
    let shown = |no_color: &str| {
        // `script` gives the command a terminal.
        let inner = format!(
            "{} audit tail --no-follow {}",
            breakglass().get_program().to_str().unwrap(),
            path.display()
        );
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &inner, "/dev/null"]).env("NO_COLOR", no_color);
        let output = command.stdin(Stdio::null()).output();
        let output =
            output.unwrap_or_else(|error| panic!("script: {error}: apt-get install bsdutils"));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(shown("").contains("\u{1b}[32mallow"), "{:?}", shown(""));
    assert!(!shown("1").contains('\u{1b}'), "{:?}", shown("1"));
}
