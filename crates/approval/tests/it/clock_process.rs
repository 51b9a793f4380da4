//! The real binary on a machine whose wall clock is set: libfaketime stands between them, and leaves the steady
//! clock alone.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ran, Server, breakglass, until};
use crate::service::config;

/// How the clock is set, as libfaketime reads it, and on which side of the true time that is.
const WRONG: [(&str, &str); 4] = [
    ("+2h", "ahead of"),
    ("-2h", "behind"),
    ("+1y", "ahead of"),
    // Lost.
    ("@1970-01-01 00:00:10", "behind"),
];

fn libfaketime() -> PathBuf {
    let places = fs::read_dir("/usr/lib").unwrap().flatten();
    places
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("libfaketime is missing: apt-get install faketime"))
}

/// A server whose clock a test sets.
fn start(directory: TempDir, arguments: &[&str]) -> Server {
    let mut command: Command = breakglass();
    command
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME_TIMESTAMP_FILE", directory.path().join("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1");
    let text = config(&directory);
    Server::start_as(command, directory, &text, arguments)
}

fn set_clock(directory: &TempDir, how: &str) {
    let path = directory.path().join("clock");
    // The process reads it at any moment.
    fs::write(path.with_extension("new"), how).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
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

#[test]
fn a_clock_that_is_set_while_the_service_runs() {
    for (how, side) in WRONG {
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
    }
}

#[test]
fn a_clock_that_is_set_while_the_service_is_down() {
    for (how, _) in WRONG {
        // It was killed, or told to stop.
        for signal in ["KILL", "TERM"] {
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
        }
    }
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
    set_clock(&directory, "@1970-01-01 00:00:10");
    fs::write(directory.path().join("config.toml"), config(&directory)).unwrap();
    let mut command = breakglass();
    command
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME_TIMESTAMP_FILE", directory.path().join("clock"))
        .args(["serve", "--accept-clock", "--config"])
        .arg(directory.path().join("config.toml"));
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("set it first"), "{ran:?}");
}
