//! `breakglass audit tail`: the real binary on a log that is being written.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use super::log::{Call, END, Folder, Vm, wrapped};
use crate::process::{Ran, breakglass};

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
    assert_eq!(run(&["--json", "-n", "2"]).lines().next().unwrap(), hostile);
    assert_eq!(run(&["-n", "0"]), "");
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
