//! `breakglass database restore`: a backup takes the place of the databases, and nothing that was revoked is forgotten.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Ran, Server, breakglass, until};
use breakglass_testing::service::{config, token_of};

pub(crate) fn database(directory: &Path, arguments: &[&str]) -> Ran {
    let mut command = breakglass();
    command.args(["--json", "database", "--config"]).arg(directory.join("config.toml"));
    Ran::from(command.args(arguments).output().unwrap())
}

pub(crate) fn restore(directory: &Path, arguments: &[&str]) -> Ran {
    let from = directory.join("backup");
    database(directory, &[&["restore", "--from", from.to_str().unwrap()], arguments].concat())
}

/// A grant of alice's, whose token is taken.
fn grant(server: &Server) -> String {
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    server.run("alice", &["token", &id]).done();
    id
}

fn revoke(server: &Server, id: &str) {
    server.run("carol", &["revoke", id, "--reason", "over"]).done();
}

fn jti(server: &Server, id: &str) -> String {
    let shown = server.run("alice", &["status", id, "--json"]).json();
    shown["grant"]["id"].as_str().unwrap().to_owned()
}

fn feed(server: &Server, place: Option<&Value>) -> Value {
    let text = |place: &Value, name: &str| place[name].as_str().unwrap().to_owned();
    let query = place.map_or_else(String::new, |at| {
        format!("?after={}&tag={}&feed={}", at["epoch"], text(at, "tag"), text(at, "feed"))
    });
    server.get("envoy", &format!("/v1/revocations{query}"))
}

fn lists(answer: &Value, jti: &str) -> bool {
    answer["revoked"].as_array().unwrap().iter().any(|one| one["jti"] == jti)
}

fn serve(directory: TempDir) -> Server {
    let text = fs::read_to_string(directory.path().join("config.toml")).unwrap();
    Server::start_with(directory, &text)
}

/// A service with a grant that is revoked after the backup, one that stays, and one that is made and used after the backup;
/// its directory once it has ended, the ids of the three grants, and where a proxy stands in its feed.
pub(crate) fn before() -> (TempDir, [String; 3], Value) {
    let server = Server::start();
    let (revoked, stays) = (grant(&server), grant(&server));
    let to = server.path("backup");
    database(server.directory.path(), &["backup", "--to", to.to_str().unwrap()]).done();
    revoke(&server, &revoked);
    let made = grant(&server);
    let grants = [jti(&server, &revoked), jti(&server, &stays), jti(&server, &made)];
    let place = feed(&server, None);
    (server.leave("TERM"), grants, place)
}

fn clean(directory: &Path) {
    let checked = database(directory, &["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

pub(crate) fn verify(directory: &Path, head: Option<&Value>) -> Ran {
    let printed = database(directory, &["trail-key"]).json();
    let key = directory.join("trail.pub");
    fs::write(&key, printed["keys"][0]["public"].as_str().unwrap()).unwrap();
    let mut command = breakglass();
    command.args(["--json", "audit", "verify", "--service"]).arg(directory.join("approvals.db"));
    command.arg("--trail-key").arg(&key);
    if let Some(head) = head {
        fs::write(directory.join("head.json"), head.to_string()).unwrap();
        command.arg("--trail-head").arg(directory.join("head.json"));
    }
    Ran::from(command.output().unwrap())
}

fn texts(ran: &Ran) -> Vec<String> {
    let said = ran.json();
    said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["what"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_ended_after_the_backup_stays_ended_and_every_proxy_reads_it() {
    let (directory, [revoked, stays, made], place) = before();
    let old = verify(directory.path(), None).json()["head"].take();
    let done = restore(directory.path(), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let said = done.json();
    assert_eq!(said["replaced"], "whole", "{said}");
    let counts = ["ended_since", "made_since", "unknown"].map(|name| said[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 0], "{said}");
    assert_eq!(said["lost"], old, "{said}");
    let aside = Path::new(said["set_aside"][0].as_str().unwrap());
    assert!(aside.to_str().unwrap().contains("approvals.db.replaced-"), "{said}");
    assert!(aside.exists());
    clean(directory.path());

    // The trail says what it lost, and a head of before is lost with it; another one contradicts.
    let ran = verify(directory.path(), Some(&old));
    assert_eq!(ran.code, 5, "{ran:?}");
    let lost = format!("and of place {} ({})", old["seq"], old["hash"].as_str().unwrap());
    assert!(
        texts(&ran)
            .iter()
            .all(|text| text.contains("lost by the restore at place") && text.contains(&lost)),
        "{ran:?}"
    );
    let other = json!({ "seq": old["seq"], "hash": "0".repeat(64) });
    let ran = verify(directory.path(), Some(&other));
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(
        texts(&ran).contains(&"another event than the head that was kept names".to_owned()),
        "{ran:?}"
    );
    // A head of since then proves what is there, and the loss stays a finding.
    let new = ran.json()["head"].take();
    let ran = verify(directory.path(), Some(&new));
    assert_eq!((ran.code, &ran.json()["proven"]), (5, &new["seq"]), "{ran:?}");

    let server = serve(directory);
    let answer = feed(&server, Some(&place));
    assert_eq!(answer["reset"], true, "{answer}");
    assert!(lists(&answer, &revoked) && lists(&answer, &made), "{answer}");
    assert!(!lists(&answer, &stays), "{answer}");
    revoke(&server, &stays);
    clean(server.directory.path());
}

#[test]
fn where_it_is_not_known_what_ended_every_grant_ends_unless_the_operator_keeps_them() {
    for (what, keep) in
        [("garbage", false), ("garbage", true), ("missing", false), ("cut", false), ("head", false)]
    {
        let (directory, [revoked, stays, made], place) = before();
        let path = directory.path().join("approvals.db");
        let mut arguments = vec![];
        match what {
            "garbage" => fs::write(&path, "no database").unwrap(),
            "missing" => fs::remove_file(&path).unwrap(),
            // The owner took the revocation away.
            "cut" => edit(&path, "DELETE FROM revocations; UPDATE positions SET epoch = 0"),
            _ => {
                let head = json!({ "seq": 5000, "hash": "1".repeat(64) });
                fs::write(directory.path().join("kept.json"), head.to_string()).unwrap();
                arguments.extend([
                    "--trail-head".to_owned(),
                    directory.path().join("kept.json").display().to_string(),
                ]);
            }
        }
        if keep {
            arguments.push("--keep-grants".to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = restore(directory.path(), &arguments);
        assert_eq!(done.code, 0, "{what}: {done:?}");
        assert!(done.stderr.contains("breakglass keys rotate --force"), "{what}: {done:?}");
        assert_eq!(done.json()["kept"], if keep { 2 } else { 0 }, "{what}: {done:?}");
        clean(directory.path());
        let kept = verify(directory.path(), None);
        let unknown = texts(&kept);
        assert!(
            unknown.iter().any(|text| text.contains("restore at place")),
            "{what}: {unknown:?}"
        );
        let server = serve(directory);
        let answer = feed(&server, Some(&place));
        assert_eq!(answer["reset"], true, "{what}: {answer}");
        assert_eq!(lists(&answer, &revoked), !keep, "{what}: {answer}");
        assert_eq!(lists(&answer, &stays), !keep, "{what}: {answer}");
        let is_readable = what == "cut" || what == "head";
        assert_eq!(lists(&answer, &made), is_readable, "{what}: {answer}");
    }
}

fn edit(path: &Path, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", path.display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        for name in ["revocations_kept", "positions_grow"] {
            let drop = format!("DROP TRIGGER {name}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&pool).await.unwrap();
        }
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        pool.close().await;
    });
}

#[test]
fn what_cannot_be_restored_changes_nothing() {
    let (directory, _, _) = before();
    let path = directory.path().join("approvals.db");
    let was = fs::read(&path).unwrap();
    let missing = database(directory.path(), &["restore", "--from", "/nowhere"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    // A backup that its owner edited.
    edit(&directory.path().join("backup/approvals.db"), "UPDATE positions SET event = 1");
    let refused = restore(directory.path(), &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("`positions` says that the last event is at place 1"),
        "{refused:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), was);
    let names = fs::read_dir(directory.path()).unwrap().map(|one| one.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(
        !names.iter().any(|name| name.contains("restoring") || name.contains("replaced")),
        "{names:?}"
    );
    let server = serve(directory);
    let refused = restore(server.directory.path(), &[]);
    assert!(refused.stderr.contains("is in use by another process"), "{refused:?}");
}

/// Copies the keys and a backup to another machine: a directory of its own.
fn elsewhere(from: &Path) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.toml"), config(&directory)).unwrap();
    for name in ["keys", "backup"] {
        let to = directory.path().join(name);
        fs::create_dir(&to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).unwrap();
        for entry in fs::read_dir(from.join(name)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    directory
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the rate is one of real time")]
fn a_backup_under_fifty_writes_a_second_is_whole_on_another_machine() {
    let server = Server::start();
    let revoked = grant(&server);
    revoke(&server, &revoked);
    let (revoked, live) = (jti(&server, &revoked), grant(&server));
    let live = jti(&server, &live);
    let place = feed(&server, None);
    let (stop, writes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let to = server.path("backup");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    write(&server.url);
                    writes.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
        until(|| writes.load(Ordering::Relaxed) > 100);
        let (began, at) = (Instant::now(), writes.load(Ordering::Relaxed));
        database(server.directory.path(), &["backup", "--to", to.to_str().unwrap()]).done();
        until(|| began.elapsed() > Duration::from_secs(2));
        let rate = (writes.load(Ordering::Relaxed) - at) as f64 / began.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        assert!(rate >= 50.0, "{rate} writes a second");
    });
    let directory = elsewhere(server.directory.path());
    drop(server);
    let done = restore(directory.path(), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.json()["replaced"], "absent");
    clean(directory.path());
    let server = serve(directory);
    let answer = feed(&server, Some(&place));
    assert_eq!(answer["reset"], true, "{answer}");
    assert!(lists(&answer, &revoked) && lists(&answer, &live), "{answer}");
}

/// Two writes: a request, and its end.
fn write(url: &str) {
    let post = |path: &str, body: Value| {
        let request = ureq::post(format!("{url}{path}"));
        let request = request.header("authorization", format!("Bearer {}", token_of("alice")));
        let text = request.send_json(body).unwrap().into_body().read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap_or_default()
    };
    let ask = json!({ "scopes": ["orders:read"], "reason": "load", "duration": "10m" });
    let made = post("/v1/requests", ask);
    post(&format!("/v1/requests/{}/cancel", made["id"].as_str().unwrap()), json!({}));
}
