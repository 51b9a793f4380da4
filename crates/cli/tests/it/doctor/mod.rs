//! `breakglass doctor`, on the real files of a service.

mod files;
mod service;
mod tls;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{Ran, Server, breakglass};
use breakglass_testing::service::config;

/// The shared configuration without what it has a warning for.
pub(super) fn healthy(directory: &tempfile::TempDir) -> String {
    config(directory)
        .split("[[")
        .filter(|entry| !entry.contains("lonely"))
        .collect::<Vec<_>>()
        .join("[[")
}

pub(super) fn server() -> Server {
    let directory = tempfile::tempdir().unwrap();
    let text = healthy(&directory);
    Server::start_with(directory, &text)
}

pub(super) fn doctor_by(mut command: Command, folder: &Path, arguments: &[&str]) -> Ran {
    command.args(["doctor", "--json", "--config"]).arg(folder.join("config.toml")).args(arguments);
    Ran::from(command.output().unwrap())
}

pub(super) fn doctor(folder: &Path) -> Ran {
    doctor_by(breakglass(), folder, &[])
}

/// What is wrong, each with what fixes it.
pub(super) fn findings(ran: &Ran) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let json = ran.json();
    let findings = json["findings"].as_array().unwrap().iter();
    findings.map(|one| (text(&one["what"]), text(&one["fix"]))).collect()
}

/// It found this, with this fix, and ended with 2.
#[track_caller]
pub(super) fn found(ran: &Ran, what: &str, fix: &str) {
    let findings = findings(ran);
    let is_there = findings.iter().any(|one| one.0.contains(what) && one.1.contains(fix));
    assert!(ran.code == 2 && is_there, "{what} / {fix}: {ran:#?}");
}

/// It found nothing else than this.
#[track_caller]
pub(super) fn found_alone(ran: &Ran, what: &str, fix: &str) {
    found(ran, what, fix);
    assert_eq!(findings(ran).len(), 1, "{ran:#?}");
}

fn not_checked(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let gaps = json["not_checked"].as_array().unwrap().iter();
    gaps.map(|one| format!("{}: {}", one["what"].as_str().unwrap(), one["why"].as_str().unwrap()))
        .collect()
}

#[test]
fn nothing_is_wrong_with_a_service_that_runs_and_with_one_that_has_ended() {
    let server = server();
    let ran = doctor(server.directory.path());
    assert_eq!(ran.code, 0, "{ran:?}");
    let checked = ran.json()["checked"].as_u64().unwrap();
    assert!(checked >= 15, "{ran:?}");
    let text = Ran::from(
        breakglass().args(["doctor", "--config"]).arg(server.path("config.toml")).output().unwrap(),
    );
    let last = format!("checked: {checked} things; 0 findings; 0 could not be looked at");
    assert_eq!(text.stdout.lines().last(), Some(last.as_str()), "{text:?}");
    assert!(text.stdout.contains("NTP") && text.stdout.contains("the service was not asked"));
    let directory = server.leave("TERM");
    // Nothing was changed.
    let files = || {
        let files = ["approvals.db", "approvals-evidence.db", "config.toml"];
        files.map(|name| fs::read(directory.path().join(name)).unwrap())
    };
    let before = files();
    assert_eq!(doctor(directory.path()).code, 0);
    assert!(files() == before);
}

#[test]
fn what_cannot_be_looked_at_is_said_and_is_not_healthy() {
    let directory = tempfile::tempdir().unwrap();
    let ran = doctor(directory.path());
    assert_eq!((ran.code, findings(&ran).len()), (1, 0), "{ran:?}");
    assert!(not_checked(&ran)[0].contains("`--config PATH` names it"), "{ran:?}");

    // The files of another user, where the tests are root.
    let server = server();
    let database = server.path("approvals.db");
    if std::os::unix::fs::chown(&database, Some(4711), None).is_ok() {
        let ran = doctor(server.directory.path());
        assert_eq!((ran.code, findings(&ran).len()), (1, 0), "{ran:?}");
        assert!(not_checked(&ran)[0].contains("sudo -u '#4711' breakglass doctor"), "{ran:?}");
    }
    // A service that does not answer.
    let arguments = ["--url", "http://127.0.0.1:1"];
    let mut command = breakglass();
    command.env("BREAKGLASS_API_TOKEN", "t");
    std::os::unix::fs::chown(&database, Some(rustix::process::geteuid().as_raw()), None).unwrap();
    let ran = doctor_by(command, server.directory.path(), &arguments);
    assert_eq!((ran.code, findings(&ran).len()), (1, 0), "{ran:?}");
    let gaps = not_checked(&ran);
    assert!(gaps.len() == 3 && gaps.iter().all(|gap| gap.contains("127.0.0.1:1")), "{gaps:?}");
    let ran = doctor_by(breakglass(), server.directory.path(), &arguments);
    assert!(not_checked(&ran)[0].contains("set BREAKGLASS_API_TOKEN"), "{ran:?}");
}
