//! `breakglass serve` and `breakglass keygen`: starting, stopping, replacing keys.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Ran, Server, breakglass, exit_code, until};
use breakglass_testing::service::config;

#[test]
fn stops_cleanly_when_told() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        assert!(server.log().contains(&server.url), "the log names the address");
        // Somebody waits, and gets an answer.
        let waiting = server
            .command(
                "alice",
                &[
                    "request",
                    "--scope",
                    "orders:read",
                    "--reason",
                    "r",
                    "--wait",
                    "--timeout",
                    "1s",
                ],
            )
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        until(|| server.log().contains("submitted"));
        assert_eq!(server.stop(signal), Some(0), "{}", server.log());
        assert_eq!(exit_code(&mut waiting.unwrap()), Some(1));
    }
}

#[test]
fn what_was_decided_survives_a_restart() {
    let mut server = Server::start();
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    let before = server.run("alice", &["status", &id, "--json"]).json();
    assert_eq!(server.stop("KILL"), None);
    let directory = std::mem::replace(&mut server.directory, tempfile::tempdir().unwrap());
    fs::remove_file(directory.path().join("ready")).unwrap();
    let text = config(&directory);
    let server = Server::start_with(directory, &text);
    assert_eq!(server.run("alice", &["status", &id, "--json"]).json(), before);
    server.run("alice", &["token", &id]).done();
}

#[test]
fn a_wrong_configuration_is_3_and_all_of_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    let wrong = config(&directory)
        .replace("pending_lifetime = \"10m\"", "pending_lifetime = \"never\"\ncolour = \"red\"");
    for (text, words) in
        [(wrong.as_str(), vec!["pending_lifetime: ", "colour: unknown field"]), ("[", vec!["TOML"])]
    {
        fs::write(&file, text).unwrap();
        let ran = Ran::from(breakglass().args(["serve", "--config"]).arg(&file).output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{word}: {ran:?}");
        }
    }
    let mut absent = breakglass();
    let ran = Ran::from(absent.args(["serve", "--config", "/nowhere"]).output().unwrap());
    assert_eq!(ran.code, 3, "{ran:?}");

    fs::write(&file, config(&directory)).unwrap();
    let mut check = breakglass();
    check.args(["serve", "--check", "--json", "--config"]).arg(&file);
    let ran = Ran::from(check.output().unwrap());
    assert_eq!((ran.code, &ran.json()["valid"]), (0, &Value::Bool(true)), "{ran:?}");
    assert_eq!(ran.json()["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_database_that_is_none_of_ours_is_1() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    fs::write(&file, config(&directory)).unwrap();
    fs::write(directory.path().join("approvals.db"), "x".repeat(4096)).unwrap();
    let ran = Ran::from(breakglass().args(["serve", "--config"]).arg(&file).output().unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("approvals.db"), "{ran:?}");
}

/// As many proxies as the system allows can hang.
#[test]
fn takes_the_files_that_it_may_have() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    fs::write(&file, config(&directory)).unwrap();
    let script = "ulimit -Sn 64; ulimit -Hn 512; \"$1\" serve --ready-file \"$3\" --config \"$2\" & \
                  for _ in $(seq 200); do [ -e \"$3\" ] && break; sleep 0.05; done; cat /proc/$!/limits; kill $!; wait $!";
    let ran = std::process::Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_breakglass")])
        .arg(&file)
        .arg(directory.path().join("ready"))
        .output()
        .unwrap();
    let ran = Ran::from(ran).done();
    let line = ran.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>()[3..5], ["512", "512"], "{line}");
}

#[test]
fn a_running_service_signs_with_a_new_key() {
    let server = Server::start();
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    let keys = server.path("keys");
    let ran = server.run("alice", &["keygen", "signing", "--key-dir", keys.to_str().unwrap()]);
    let kid = ran.done().trim().to_owned();
    until(|| server.log().contains("signing keys read again"));
    let token = server.run("alice", &["token", &id]).done();
    let header = token.split('.').next().unwrap();
    let header = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header);
    let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
    assert_eq!(header["kid"], kid);
}

#[test]
fn an_api_token_and_its_digest_belong_together() {
    let ran = Ran::from(breakglass().args(["keygen", "api-token", "--json"]).output().unwrap());
    let made = ran.json();
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("breakglass_") && token.len() == 54, "{token}");
    let digest: String = breakglass_server::auth::identity::digest(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(made["token_sha256"], digest);
    let plain = Ran::from(breakglass().args(["keygen", "api-token"]).output().unwrap()).done();
    let lines: Vec<&str> =
        plain.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(lines, ["token", "token_sha256"]);
}
