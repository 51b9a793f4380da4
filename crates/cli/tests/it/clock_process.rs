//! The real binary on a machine whose wall clock is set: a library stands between them, and leaves the steady clock
//! alone.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ran, Server, breakglass, until};
use breakglass_testing::service::config;

/// How the clock is set, and on which side of the true time that is.
const WRONG: [(&str, &str); 4] = [
    ("+2h", "ahead of"),
    ("-2h", "behind"),
    ("+1y", "ahead of"),
    // Lost.
    ("1970", "behind"),
];

/// A library that comes before the system's and sets the wall clock alone: the one of the end-to-end tests.
pub(crate) fn library(directory: &TempDir) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/src/clock.c");
    let library = directory.path().join("clock.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().unwrap().success());
    library
}

/// The binary with a clock that a test sets.
pub(crate) fn with_clock(directory: &TempDir) -> Command {
    let mut command = breakglass();
    command
        .env("LD_PRELOAD", library(directory))
        .env("CLOCK_OFFSET", directory.path().join("clock"));
    command
}

fn start(directory: TempDir, arguments: &[&str]) -> Server {
    let (command, text) = (with_clock(&directory), config(&directory));
    Server::start_as(command, directory, &text, arguments)
}

#[expect(clippy::disallowed_methods, reason = "how far 1970 is from the real time")]
pub(crate) fn set_clock(directory: &TempDir, how: &str) {
    let offset: i64 = match how {
        "+0" => 0,
        "+2h" => 2 * 3600,
        "-2h" => -2 * 3600,
        "+1y" => 365 * 86_400,
        "1970" => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            10 - i64::try_from(now).unwrap()
        }
        other => panic!("{other}"),
    };
    // In place: the process has it in its memory.
    let path = directory.path().join("clock");
    let file = File::options().write(true).create(true).truncate(false).open(path).unwrap();
    file.write_all_at(&offset.to_ne_bytes(), 0).unwrap();
}

fn clock(server: &Server) -> Value {
    server.get("grace", "/healthz?detail=1")["clock"].clone()
}

/// A grant, and a request that waits.
fn prepare(server: &Server) -> (String, String) {
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    (id, server.pending())
}

fn is_refused(ran: &Ran, reason: &str) {
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains(reason), "{ran:?}");
}

fn revoke_all(server: &Server) -> i64 {
    let ran = server.run("carol", &["revoke", "--all", "--reason", "keys leaked", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()["revoked"].as_i64().unwrap()
}

/// Each case has a service of its own, and mostly waits for a command that tries again: so they are all run at once.
fn at_once<T: Sync>(cases: &[T], run: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| run(case));
        }
    });
}

#[test]
fn a_clock_that_is_set_while_the_service_runs() {
    at_once(&WRONG, |&(how, side)| {
        let directory = tempfile::tempdir().unwrap();
        set_clock(&directory, "+0");
        let server = start(directory, &[]);
        let (first, waiting) = prepare(&server);
        let (second, _) = prepare(&server);
        set_clock(&server.directory, how);
        // Without a request too.
        until(|| server.log().contains("approvals and tokens are refused"));
        is_refused(&server.run("carol", &["approve", &waiting, "--yes"]), "clock_stepped");
        let refused = server.run("alice", &["token", &first]);
        is_refused(&refused, "clock_stepped");
        assert!(refused.stderr.contains(side), "{how}: {refused:?}");
        assert_eq!(clock(&server)["state"], "stepped");
        let ran = server.run("carol", &["revoke", &first, "--reason", "laptop lost"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "revoked\n"), "{how}: {ran:?}");
        assert_eq!(ran.stderr.contains("had ended at"), side == "ahead of", "{how}: {ran:?}");
        assert_eq!(revoke_all(&server), 1, "{how}: the other grant");
        set_clock(&server.directory, "+0");
        until(|| server.log().contains("the clock is believed again"));
        server.run("carol", &["approve", &waiting, "--yes"]).done();
        server.run("alice", &["token", &waiting]).done();
        let state = server.run("alice", &["status", &second, "--json"]).json()["state"].clone();
        assert_eq!(state, "revoked");
        let metrics = server.get("nobody", "/metrics");
        assert!(metrics.as_str().unwrap().contains("breakglass_clock_steps_total 1"));
    });
}

#[test]
fn a_clock_that_is_set_while_the_service_is_down() {
    // It was killed, or told to stop.
    let cases = WRONG.map(|(how, _)| ["KILL", "TERM"].map(|signal| (how, signal)));
    at_once(cases.as_flattened(), |&(how, signal)| {
        let directory = tempfile::tempdir().unwrap();
        set_clock(&directory, "+0");
        let server = start(directory, &[]);
        let (first, waiting) = prepare(&server);
        let directory = server.leave(signal);
        set_clock(&directory, how);
        let server = start(directory, &[]);
        is_refused(&server.run("carol", &["approve", &waiting, "--yes"]), "clock_stepped");
        is_refused(&server.run("alice", &["token", &first]), "clock_stepped");
        assert_eq!(revoke_all(&server), 1, "{how} {signal}");
    });
}

#[test]
fn an_operator_says_that_the_new_time_is_right() {
    for how in ["+2h", "-2h", "+1y"] {
        let directory = tempfile::tempdir().unwrap();
        set_clock(&directory, "+0");
        let server = start(directory, &[]);
        let (first, _) = prepare(&server);
        let directory = server.leave("TERM");
        set_clock(&directory, how);
        let server = start(directory, &["--accept-clock"]);
        assert!(server.log().contains("accepted by --accept-clock"), "{}", server.log());
        assert_eq!(revoke_all(&server), 1, "{how}: {first}");
        let id = server.pending();
        server.run("carol", &["approve", &id, "--yes"]).done();
        server.run("alice", &["token", &id]).done();
        let acts = server.get("grace", "/v1/audit/service")["acts"].clone();
        let accepted = |act: &Value| act["action"] == "accept_clock";
        assert_eq!(acts.as_array().unwrap().iter().filter(|act| accepted(act)).count(), 1);
        // From now on it is the time.
        let server = start(server.leave("KILL"), &[]);
        assert_eq!(clock(&server)["state"], "believed");
        server.run("alice", &["token", &id]).done();
    }
    let directory = tempfile::tempdir().unwrap();
    set_clock(&directory, "1970");
    fs::write(directory.path().join("config.toml"), config(&directory)).unwrap();
    let mut command = with_clock(&directory);
    command.args(["serve", "--accept-clock", "--config"]).arg(directory.path().join("config.toml"));
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("set it first"), "{ran:?}");
}
