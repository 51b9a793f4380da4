//! The exit codes for everything that does not work.

use std::fs;
use std::net::TcpListener;

use crate::process::{Ran, Server, breakglass};
use breakglass_testing::service::token_of;

#[test]
fn a_refusal_is_2_and_names_its_reason() {
    let server = Server::start();
    let id = server.pending();
    for (who, arguments, reason) in [
        ("alice", vec!["approve", &id, "--yes"], "self_approval"),
        ("dave", vec!["approve", &id, "--yes"], "not_involved"),
        ("envoy", vec!["status"], "people_only"),
        ("erin", vec!["cancel", &id], "not_the_requester"),
        ("erin", vec!["deny", &id, "--reason", "r"], "not_an_approver"),
        ("nobody", vec!["status"], "credential_unknown"),
        ("erin", vec!["request", "--scope", "orders:read", "--reason", "r"], "not_a_requester"),
        ("alice", vec!["request", "--scope", "lonely", "--reason", "r"], "no_approver"),
    ] {
        let ran = server.run(who, &arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(&format!("({reason})")), "{arguments:?}: {ran:?}");
        let ran = server.run(who, &[&arguments[..], &["--json"]].concat());
        assert_eq!((ran.code, &ran.json()["reason"]), (2, &reason.into()), "{arguments:?}");
    }
}

#[test]
fn what_is_not_valid_is_3() {
    let server = Server::start();
    for arguments in [
        vec!["request", "--scope", "orders:delete", "--reason", "r"],
        vec!["request", "--scope", "orders:read", "--reason", " "],
        vec!["request", "--scope", "orders:read", "--reason", "r", "--duration", "2h"],
        vec!["request", "--scope", "orders:read", "--reason", "r", "--timeout", "1s"],
        vec!["request", "--scope", "orders:read"],
        vec!["revoke", "--reason", "r"],
        vec!["revoke", "grant_x", "--all", "--reason", "r"],
        vec!["revoke", "--subject", "alice", "--incident", "INC-7", "--reason", "r"],
        vec!["revoke", "--all"],
        vec!["revoke", "--scope", "orders:delete", "--reason", "r"],
        vec!["revoke", "grant_unknown", "--reason", "r"],
        vec!["done"],
        vec!["done", "grant_unknown"],
        vec!["approve", "req_unknown", "--yes"],
        vec!["approve", "../requests", "--yes"],
        vec!["status", "--state", "open"],
        vec!["frobnicate"],
        vec![],
    ] {
        let ran = server.run("alice", &arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn missing_settings_are_3() {
    let url = ["--url", "http://127.0.0.1:1"];
    for (arguments, environment, words) in [
        (vec!["status"], vec![], "BREAKGLASS_URL"),
        (vec!["status", "--url", "approvals.internal"], vec![], "to `https://approvals.internal`"),
        (vec!["status", "--url", "localhost:8300"], vec![], "to `http://localhost:8300`"),
        (vec!["status", url[0], url[1]], vec![], "BREAKGLASS_API_TOKEN"),
        (
            vec!["status", url[0], url[1]],
            vec![("BREAKGLASS_API_TOKEN", " ")],
            "BREAKGLASS_API_TOKEN",
        ),
        (
            vec!["status", url[0], url[1], "--api-token-file", "/nowhere"],
            vec![],
            "`--api-token-file`: /nowhere",
        ),
        (
            vec!["status", url[0], url[1], "--ca-file", "/nowhere"],
            vec![("BREAKGLASS_API_TOKEN", "x")],
            "/nowhere",
        ),
    ] {
        let ran = Ran::from(breakglass().args(&arguments).envs(environment).output().unwrap());
        assert_eq!(ran.code, 3, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn an_unreachable_service_is_1() {
    // Bound and not listening for long: nobody answers there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let mut command = breakglass();
    command.args(["status", "--url", &url]).env("BREAKGLASS_API_TOKEN", "x");
    let ran = Ran::from(command.output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains(&url), "{ran:?}");
    let ran = Ran::from(command.arg("--json").output().unwrap());
    assert_eq!((ran.code, &ran.json()["reason"]), (1, &"unreachable".into()));
}

#[test]
fn the_api_token_can_come_from_a_file_and_never_shows() {
    let server = Server::start();
    let file = server.path("token");
    fs::write(&file, format!("{}\n", token_of("alice"))).unwrap();
    let mut command = breakglass();
    command.args(["status", "--url", &server.url, "--api-token-file"]).arg(&file);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let help = server.run("alice", &["status", "--help"]);
    assert!(help.stdout.contains("BREAKGLASS_API_TOKEN"), "{help:?}");
    for text in [ran.stderr, help.stdout, help.stderr, server.log()] {
        assert!(!text.contains(&token_of("alice")), "{text}");
    }
}

#[test]
fn help_names_the_exit_codes() {
    for verb in [
        "request", "approve", "deny", "cancel", "token", "done", "revoke", "proxies", "status",
        "serve", "database", "keygen",
    ] {
        let ran = Ran::from(breakglass().args([verb, "--help"]).output().unwrap());
        assert!(ran.stdout.contains("2  denied"), "{verb}");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{verb}");
    }
}

/// The numbers are an interface: the help names those that there are, and so does the document.
#[test]
fn the_document_has_the_exit_codes_of_the_help() {
    use breakglass_cli::exit::HELP;
    let codes: Vec<&str> = HELP
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split("  ").next())
        .flat_map(|codes| codes.split(", "))
        .filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()) && !code.is_empty())
        .collect();
    assert!(
        codes.starts_with(&["0", "1", "2", "3"]) && codes.ends_with(&["130", "143"]),
        "{codes:?}"
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/approval-service.md");
    let document = fs::read_to_string(path).unwrap();
    let table = document.split("| exit code |").nth(1).unwrap().split("\n\n").next().unwrap();
    for code in codes {
        assert!(
            table.lines().any(|line| line.starts_with(&format!("| {code} |"))),
            "{code}: {table}"
        );
    }
}

/// A pipe is no person: whatever it says, only `--yes` approves.
#[test]
fn approve_without_a_terminal_takes_yes() {
    let server = Server::start();
    let id = server.pending();
    for input in ["", "n\n", "y\n", "yes\n"] {
        let path = server.path("answer");
        fs::write(&path, input).unwrap();
        let mut command = server.command("carol", &["approve", &id]);
        let ran = Ran::from(command.stdin(fs::File::open(&path).unwrap()).output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{input:?}: {ran:?}");
        assert!(ran.stderr.contains("--yes"), "{ran:?}");
        assert!(server.run("carol", &["status", &id]).done().contains("state     pending"));
    }
    assert!(server.run("carol", &["approve", &id, "--yes"]).done().starts_with("grant_"));
}
