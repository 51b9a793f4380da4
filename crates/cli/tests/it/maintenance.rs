//! `breakglass database`, and the socket for metrics alone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::process::{Ran, Server, breakglass, until};
use breakglass_testing::service::config;

fn database(server: &Server, arguments: &[&str]) -> Ran {
    let mut command = breakglass();
    command.args(["database", "--config"]).arg(server.path("config.toml")).args(arguments);
    Ran::from(command.output().unwrap())
}

fn backup(server: &Server, to: &Path) -> Ran {
    database(server, &["--json", "backup", "--to", to.to_str().unwrap()])
}

#[test]
fn a_backup_of_a_running_service_is_a_service_that_starts_with_all_that_it_knew() {
    let mut server = Server::start();
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    let before = server.run("alice", &["status", &id, "--json"]).json();
    let to = server.path("backup");
    let made = backup(&server, &to).json();
    let files = made["files"].as_array().unwrap();
    assert_eq!(files.len(), 2, "{made}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&to), 0o700);
    for file in files {
        assert_eq!(mode(Path::new(file.as_str().unwrap())), 0o600, "{file}");
    }
    // A second one does not write over the first.
    let again = backup(&server, &to);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stdout.contains("exists"), "{again:?}");

    // What came after it is not in it; what came before is.
    server.run("carol", &["revoke", &id, "--reason", "later"]).done();
    server.stop("TERM");
    fs::remove_file(server.path("ready")).unwrap();
    let text = fs::read_to_string(server.path("config.toml")).unwrap();
    for file in files.iter().filter_map(Value::as_str).map(Path::new) {
        let name = file.file_name().unwrap();
        for ending in ["", "-wal", "-shm"] {
            let mut old = name.to_owned();
            old.push(ending);
            let _ = fs::remove_file(server.directory.path().join(old));
        }
        fs::copy(file, server.directory.path().join(name)).unwrap();
    }
    let directory = std::mem::replace(&mut server.directory, tempfile::tempdir().unwrap());
    let server = Server::start_with(directory, &text);
    assert_eq!(server.run("alice", &["status", &id, "--json"]).json(), before);
}

#[test]
fn a_check_says_what_it_checked_what_it_found_and_what_to_do() {
    let mut server = Server::start();
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    let clean = database(&server, &["check"]);
    assert_eq!(clean.code, 0, "{clean:?}");
    assert!(
        clean.stdout.starts_with("checked: 3 events, 1 requests, 1 grants, 0 revocations, 3 rows"),
        "{clean:?}"
    );
    assert!(clean.stdout.contains("1 signing keys, 1 keys of the trail"), "{clean:?}");
    server.stop("TERM");
    let keys = server.path("keys");
    fs::rename(&keys, server.path("away")).unwrap();
    let found = database(&server, &["check"]);
    assert_eq!(found.code, 2, "{found:?}");
    assert!(found.stdout.contains("which is not in the key directory"), "{found:?}");
    assert!(found.stdout.contains("what to do: put the key's file back"), "{found:?}");
    let said = database(&server, &["--json", "check"]);
    assert_eq!(said.code, 2);
    let said = said.json();
    assert_eq!(said["checked"]["events"], 3, "{said}");
    assert_eq!(said["findings"][0]["part"], "keys", "{said}");
    fs::rename(server.path("away"), &keys).unwrap();
    let mut short = breakglass();
    short.args(["db", "check", "--config"]).arg(server.path("config.toml"));
    assert_eq!(Ran::from(short.output().unwrap()).code, 0);
    fs::remove_file(server.path("approvals.db")).unwrap();
    let missing = database(&server, &["check"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.stderr.contains("unable to open database file"), "{missing:?}");
}

#[test]
fn repairs_wait_until_the_service_is_stopped() {
    let mut server = Server::start();
    for task in ["new-feed", "drop-old-heads"] {
        let ran = database(&server, &[task]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("is in use by another process"), "{ran:?}");
    }
    server.stop("TERM");
    let feed = || database(&server, &["--json", "new-feed"]).json()["feed"].take();
    let (first, second) = (feed(), feed());
    assert_eq!(first.as_str().unwrap().len(), 32, "{first}");
    assert_ne!(first, second);
    assert_eq!(database(&server, &["--json", "drop-old-heads"]).json()["removed"], 0);
    // Heads that are nowhere else stay.
    fs::remove_file(server.path("approvals-evidence.db")).unwrap();
    let ran = database(&server, &["drop-old-heads"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("got a copy that is not done"), "{ran:?}");
}

#[test]
fn what_is_not_there_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.toml"), config(&directory)).unwrap();
    let to = directory.path().join("backup");
    for arguments in [&["backup", "--to", to.to_str().unwrap()][..], &["new-feed"]] {
        let mut command = breakglass();
        command.args(["database", "--config"]).arg(directory.path().join("config.toml"));
        let ran = Ran::from(command.args(arguments).output().unwrap());
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("unable to open database file"), "{ran:?}");
    }
    assert!(!directory.path().join("approvals.db").exists());
    assert!(!to.exists(), "it would be in the way of the next attempt");
}

#[test]
fn a_token_in_a_file_has_no_line_end_and_is_never_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proxy.token");
    let make = || {
        let mut command = breakglass();
        command.args(["--json", "keygen", "api-token", "--out"]).arg(&file);
        Ran::from(command.output().unwrap())
    };
    let made = make().json();
    let token = fs::read(&file).unwrap();
    assert!(token.iter().all(u8::is_ascii_graphic), "{token:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let digest = breakglass_server::auth::identity::digest(std::str::from_utf8(&token).unwrap());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(made["token_sha256"], digest);
    assert!(made.get("token").is_none(), "{made}");
    let again = make();
    assert_eq!(again.code, 1, "{again:?}");
    assert_eq!(fs::read(&file).unwrap(), token);
}

/// The status and body of a GET.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

#[test]
fn the_socket_for_metrics_has_metrics_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory);
    let options = ["--metrics-listen", "127.0.0.1:0"];
    let mut server = Server::start_as(breakglass(), directory, &text, &options);
    until(|| server.log().contains("metrics url="));
    let log = server.log();
    let address = log.split("metrics url=\"http://").nth(1).unwrap().split('"').next().unwrap();
    let (status, body) = get(address, "/metrics");
    assert_eq!(status, "200");
    assert!(body.contains("breakglass_feed_epoch"), "{body}");
    for path in
        ["/", "/healthz", "/readyz", "/v1/requests", "/v1/revocations", "/.well-known/jwks.json"]
    {
        assert_eq!(get(address, path).0, "404", "{path}");
    }
    assert_eq!(server.stop("TERM"), Some(0), "{}", server.log());
    let mut taken = breakglass();
    taken.args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "192.0.2.1:1", "--config"]);
    let ran = Ran::from(taken.arg(server.path("config.toml")).output().unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("--metrics-listen 192.0.2.1:1"), "{ran:?}");
}
