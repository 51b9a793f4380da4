//! SIGHUP reloads the configuration: all of it, or nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::process::{Server, breakglass, exit_code, until};
use breakglass_testing::service::{config, token_of};

/// The configuration without the entry of this person.
fn without(config: &str, person: &str) -> String {
    let entry = format!("[[people]]\nname = \"{person}\"");
    let at = config.find(&entry).unwrap();
    let end = config[at + 1..].find("[[").unwrap();
    format!("{}{}", &config[..at], &config[at + 1 + end..])
}

/// The log's lines since `before`, once one of them has `word`.
fn reload(server: &Server, text: &str, word: &str) -> String {
    let path = server.path("config.toml");
    fs::write(path.with_extension("new"), text).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    hang_up(server, word)
}

fn hang_up(server: &Server, word: &str) -> String {
    let before = server.log().len();
    server.signal("HUP");
    until(|| server.log()[before..].contains(word));
    server.log()[before..].to_owned()
}

const APPLIED: &str = "configuration read again";
const REFUSED: &str = "the configuration stays as it is";

fn health(server: &Server) -> Value {
    server.get("grace", "/healthz?detail=1")["configuration"].clone()
}

/// The last reload on the trail.
fn last_reload(server: &Server) -> Value {
    let acts = server.get("grace", "/v1/audit/service")["acts"].clone();
    let mut acts = acts.as_array().unwrap().iter().rev();
    acts.find(|act| act["action"] == "reload").unwrap().clone()
}

fn metric(server: &Server, name: &str) -> Option<String> {
    let text = server.get("nobody", "/metrics");
    let line =
        text.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(str::to_owned)
}

#[test]
fn takes_what_is_new_and_says_what_it_was() {
    let server = Server::start();
    let old = config(&server.directory);
    assert_eq!(health(&server)["reloads"], 0);
    let before = health(&server)["digest"].clone();
    let new = without(&old, "carol")
        .replace("name = \"db:admin\"", "name = \"db:root\"")
        .replace("pending_lifetime = \"10m\"", "pending_lifetime = \"5m\"\nresponders = [\"dbas\"]")
        .replace("[[people]]\nname = \"dave\"", &{
            let digest = breakglass_server::auth::identity::digest(&token_of("heidi"));
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "[[people]]\nname = \"heidi\"\ntoken_sha256 = \"{digest}\"\ngroups = [\"commanders\"]\n\
                 [[people]]\nname = \"dave\""
            )
        })
        .replace("groups = [\"oncall\", \"commanders\"]", "groups = [\"oncall\"]");
    let id = server.pending();
    assert_eq!(server.run("heidi", &["approve", &id, "--yes"]).code, 2, "unknown yet");
    let log = reload(&server, &new, APPLIED);
    assert!(log.contains("WARN") && log.contains("lonely"), "warnings too: {log}");
    assert_eq!(server.run("carol", &["approve", &id, "--yes"]).code, 2, "gone");
    server.run("heidi", &["approve", &id, "--yes"]).done();

    let act = last_reload(&server);
    let none = json!({ "added": [], "removed": [], "changed": [] });
    assert_eq!((&act["actor"], &act["action"]), (&json!("service"), &json!("reload")));
    assert_eq!(
        act["detail"]["changes"],
        json!({
            "settings": ["pending_lifetime", "responders"],
            "people": { "added": ["heidi"], "removed": ["carol"], "changed": ["bob"] },
            "proxies": none,
            "key_audiences": none,
            "scopes": { "added": ["db:root"], "removed": ["db:admin"], "changed": [] },
            "approval_rules": none,
            "rotations": none,
            "definitions": none,
            "sinks": none,
        })
    );
    let health = health(&server);
    assert_ne!(health["digest"], before);
    assert_eq!((&health["digest"], &health["reloads"]), (&act["detail"]["digest"], &json!(1)));
    assert_eq!(health["last_failure"], Value::Null);
    assert_eq!(
        metric(&server, r#"breakglass_config_reloads_total{result="applied"}"#).unwrap(),
        "1"
    );
    assert_eq!(metric(&server, "breakglass_config_last_reload_successful").unwrap(), "1");
}

#[test]
fn what_is_wrong_changes_nothing_and_every_error_is_named() {
    let server = Server::start();
    let good = config(&server.directory);
    let digest = health(&server)["digest"].clone();
    let id = server.pending();
    let wrong = without(&good, "carol")
        .replace("pending_lifetime = \"10m\"", "pending_lifetime = \"never\"\ncolour = \"red\"");
    let restart = without(&good, "carol")
        .replace("issuer = \"https://approvals.test\"", "issuer = \"https://other.test\"")
        .replace("127.0.0.1:0", "127.0.0.1:1")
        .replace("approvals.db", "other.db")
        .replace("/keys\"", "/other\"");
    let unseen = without(&good, "carol").replace("\"erin\"", "\"\u{430}lice\"");
    for (text, words) in [
        (wrong.as_str(), vec!["pending_lifetime: ", "colour: unknown field"]),
        (
            restart.as_str(),
            vec![
                "listen: has changed, which needs a restart",
                "issuer: has changed",
                "database: has changed",
                "key_directory: has changed",
            ],
        ),
        (unseen.as_str(), vec!["looks like `alice`"]),
        ("[", vec!["TOML"]),
        ("", vec!["scopes: "]),
    ] {
        // Each error is a line.
        let log = reload(&server, text, words.last().unwrap());
        for word in &words {
            let named = |line: &str| line.contains(word) && line.contains(REFUSED);
            assert!(log.lines().any(named), "{word}: {log}");
        }
        assert!(!log.contains(APPLIED));
        let error = health(&server)["last_failure"]["error"].to_string();
        assert!(error.contains(words[0]), "{error}");
    }
    // Not readable, not there, a directory, not UTF-8.
    let path = server.path("config.toml");
    fs::remove_file(&path).unwrap();
    hang_up(&server, REFUSED);
    fs::create_dir(&path).unwrap();
    hang_up(&server, REFUSED);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, [0xff, 0xfe]).unwrap();
    hang_up(&server, REFUSED);
    assert_eq!(
        metric(&server, r#"breakglass_config_reloads_total{result="failed"}"#).unwrap(),
        "8"
    );
    assert_eq!(metric(&server, "breakglass_config_last_reload_successful").unwrap(), "0");
    assert_eq!(metric(&server, r#"breakglass_config_reloads_total{result="applied"}"#), None);

    assert_eq!(health(&server)["digest"], digest);
    let acts = server.get("grace", "/v1/audit/service")["acts"].clone();
    assert!(acts.as_array().unwrap().iter().all(|act| act["action"] != "reload"), "{acts}");
    server.run("carol", &["approve", &id, "--yes"]).done();
    // And then it is right again.
    reload(&server, &good, APPLIED);
    assert_eq!(metric(&server, "breakglass_config_last_reload_successful").unwrap(), "1");
}

/// A file that neither opens nor fails keeps neither the next reload nor the end.
#[test]
fn a_file_that_hangs_is_given_up() {
    let mut server = Server::start();
    let good = config(&server.directory);
    let path = server.path("config.toml");
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let log = hang_up(&server, REFUSED);
    assert!(log.contains("not read within 10 s"), "{log}");
    reload(&server, &good, APPLIED);
    assert_eq!(server.stop("TERM"), Some(0));
}

/// What cannot be written down does not happen.
#[test]
fn what_cannot_be_put_on_the_trail_changes_nothing() {
    let server = Server::start();
    let good = config(&server.directory);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = format!("sqlite://{}", server.path("approvals.db").display());
    runtime.block_on(async {
        let database = sqlx::SqlitePool::connect(&database).await.unwrap();
        let full = "CREATE TRIGGER full BEFORE INSERT ON service_trail
                    BEGIN SELECT RAISE(ABORT, 'disk full'); END";
        sqlx::query(full).execute(&database).await.unwrap();
    });
    let log = reload(&server, &without(&good, "carol"), REFUSED);
    assert!(log.contains("not on the trail"), "{log}");
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
}

#[test]
fn who_waits_and_is_removed_is_refused() {
    let server = Server::start();
    let good = config(&server.directory);
    let id = server.pending();
    let path = format!("{}/v1/requests/{id}?wait=20s", server.url);
    let feed = format!("{}/v1/revocations?after=0&wait=20s", server.url);
    let wait = |url: String, who: &'static str| {
        std::thread::spawn(move || {
            let request =
                ureq::get(url).header("authorization", format!("Bearer {}", token_of(who)));
            let request = request.config().http_status_as_error(false).build();
            request.call().unwrap().status().as_u16()
        })
    };
    let (alice, carol, envoy) =
        (wait(path.clone(), "alice"), wait(path, "carol"), wait(feed, "envoy"));
    until(|| metric(&server, "breakglass_feed_hanging_polls").as_deref() == Some("1"));
    let changed = without(&good, "carol");
    let at = changed.find("[[proxies]]").unwrap();
    let end = changed[at + 1..].find("[[").unwrap();
    let changed = format!("{}{}", &changed[..at], &changed[at + 1 + end..]);
    reload(&server, &changed, APPLIED);
    assert_eq!(carol.join().unwrap(), 401);
    assert_eq!(envoy.join().unwrap(), 401);
    assert!(!alice.is_finished(), "she goes on to wait");
    server.run("alice", &["cancel", &id]).done();
    assert_eq!(alice.join().unwrap(), 200);
}

#[test]
fn many_signals_in_a_row_under_load() {
    let mut server = Server::start();
    let good = config(&server.directory);
    let without = without(&good, "erin");
    let url = server.url.clone();
    let load: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || {
                for _ in 0..100 {
                    let request = ureq::get(format!("{url}/v1/requests"));
                    let token = format!("Bearer {}", token_of("alice"));
                    assert_eq!(
                        request.header("authorization", token).call().unwrap().status(),
                        200
                    );
                }
            })
        })
        .collect();
    for round in 0..100 {
        let text = match round % 3 {
            0 => good.as_str(),
            1 => without.as_str(),
            _ => "[",
        };
        fs::write(server.path("next"), text).unwrap();
        fs::rename(server.path("next"), server.path("config.toml")).unwrap();
        server.signal("HUP");
    }
    for load in load {
        load.join().unwrap();
    }
    reload(&server, &good, APPLIED);
    assert!(server.is_running());
    assert_eq!(server.stop("TERM"), Some(0), "{}", server.log());
}

/// A database that another process has locked keeps the service from listening for a while.
#[test]
fn a_signal_before_it_listens_is_a_reload_too() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory);
    let at = |name: &str| directory.path().join(name);
    fs::write(at("config.toml"), &text).unwrap();
    let mut child = breakglass()
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(at("config.toml"))
        .arg("--ready-file")
        .arg(at("ready"))
        .stderr(fs::File::create(at("log")).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // From the moment that it takes signals.
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let caught = || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap_or("0");
        u64::from_str_radix(mask, 16).unwrap() & 1 == 1
    };
    until(caught);
    let hang_up =
        std::process::Command::new("kill").args(["-s", "HUP", &child.id().to_string()]).status();
    assert!(hang_up.unwrap().success());
    until(|| at("ready").exists());
    until(|| fs::read_to_string(at("log")).unwrap().contains(APPLIED));
    child.kill().unwrap();
    assert_eq!(exit_code(&mut child), None);
}

/// The files that it names are read again with it, and what has changed in them is on the trail.
#[test]
fn definitions_are_read_again_all_of_them_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let rules = |path: &str| json!({ "methods": ["GET"], "paths": [path], "v": 1 });
    let write = |directory: &std::path::Path, scopes: Value| {
        let file = json!({ "audiences": ["prod"], "scopes": scopes });
        fs::write(directory.join("scopes.json"), file.to_string()).unwrap();
    };
    write(
        directory.path(),
        json!({ "orders:read": rules("/a"), "db:admin": rules("/db"), "elsewhere": rules("/e") }),
    );
    let text = format!("definitions = [\"scopes.json\"]\n{}", config(&directory));
    let server = Server::start_by(breakglass(), directory, &text);
    assert!(server.log().contains("scopes.\"elsewhere\": the configuration has no such scope"));
    let shown = |server: &Server| {
        let id = server.pending();
        server.get("carol", &format!("/v1/requests/{id}"))["rules"][0].clone()
    };
    let before = shown(&server);
    assert!(before["digest"].is_string(), "{before}");

    // A wrong file of definitions changes nothing, and does not stop a backup.
    fs::write(server.path("scopes.json"), "{}").unwrap();
    let log = hang_up(&server, REFUSED);
    assert!(log.contains("scopes.json: audiences: expected a list"), "{log}");
    assert!(log.contains("scopes.json: scopes: expected an object"), "{log}");
    assert_eq!(shown(&server)["digest"], before["digest"]);
    let config = server.path("config.toml").display().to_string();
    let backup = server.path("backup").display().to_string();
    let check = crate::process::Ran::from(
        breakglass().args(["serve", "--check", "--config", &config]).output().unwrap(),
    );
    assert!(check.code == 3 && check.stderr.contains("scopes.json: audiences"), "{check:?}");
    let backup = ["database", "--config", &config, "backup", "--to", &backup];
    crate::process::Ran::from(breakglass().args(backup).output().unwrap()).done();

    write(
        &server.path(""),
        json!({ "orders:read": rules("/b"), "orders:write": rules("/w"), "elsewhere": rules("/e") }),
    );
    hang_up(&server, APPLIED);
    assert_ne!(shown(&server)["digest"], before["digest"]);
    let act = last_reload(&server);
    assert_eq!(
        act["detail"]["changes"]["definitions"],
        json!({ "added": ["orders:write prod"], "removed": ["db:admin prod"], "changed": ["orders:read prod"] })
    );
}
