//! `breakglass audit verify --service`: what the owner of the database changed is found.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::SqlitePool;

use crate::process::{Ran, Server, breakglass, until};
use breakglass_testing::service::{config, token_of};

/// A copy of the database of a service that has done something, and the public key of its trail.
fn copy(server: &mut Server) -> (std::path::PathBuf, std::path::PathBuf) {
    for _ in 0..2 {
        let id = server.pending();
        server.run("carol", &["approve", &id, "--yes"]).done();
        server.run("alice", &["token", &id]).done();
        server.run("carol", &["revoke", &id, "--reason", "over"]).done();
    }
    let page = server.get("grace", "/v1/audit/events");
    fs::write(server.path("events.json"), page.to_string()).unwrap();
    server.stop("TERM");
    let mut command = breakglass();
    command.args(["database", "trail-key", "--config"]).arg(server.path("config.toml"));
    let printed = Ran::from(command.output().unwrap());
    let key = server.path("trail.pub");
    fs::write(&key, printed.done()).unwrap();
    (server.path("approvals.db"), key)
}

fn verify(file: &Path, key: &Path, head: Option<&Path>) -> Ran {
    let mut command = breakglass();
    command.args(["--json", "audit", "verify", "--service"]).arg(file);
    command.arg("--trail-key").arg(key);
    if let Some(head) = head {
        command.arg("--trail-head").arg(head);
    }
    Ran::from(command.output().unwrap())
}

/// Edits a database as its owner, and gives it back as it was.
fn edited(database: &Path, sql: &'static str, check: impl FnOnce()) {
    let before = fs::read(database).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = SqlitePool::connect(&format!("sqlite://{}", database.display())).await.unwrap();
        for name in ["events_not_updated", "events_not_deleted", "positions_grow"] {
            let drop = format!("DROP TRIGGER {name}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&pool).await.unwrap();
        }
        let changed = sqlx::query(sql).execute(&pool).await.unwrap();
        assert!(changed.rows_affected() > 0, "{sql}");
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await.unwrap();
        pool.close().await;
    });
    check();
    fs::write(database, before).unwrap();
}

#[test]
fn what_the_owner_of_the_database_changed_is_found() {
    let mut server = Server::start();
    let (database, key) = copy(&mut server);

    // Without a head its end may be missing: the check prints one to keep.
    let first = verify(&database, &key, None);
    assert_eq!(first.code, 5, "{first:?}");
    let said: Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!((&said["findings"], said["events"].as_u64()), (&Value::Array(Vec::new()), Some(9)));
    let head = server.path("head.json");
    fs::write(&head, said["head"].to_string()).unwrap();
    let proven: Value = {
        let ran = verify(&database, &key, Some(&head));
        assert_eq!(ran.code, 0, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    };
    assert_eq!((proven["proven"].as_u64(), proven["unproven"].as_u64()), (Some(9), Some(0)));

    // The same from what the interface answered, also where it was edited.
    let answers = server.path("events.json");
    assert_eq!(verify(&answers, &key, Some(&head)).code, 0);
    let text = fs::read_to_string(&answers).unwrap();
    fs::write(&answers, text.replacen("\"carol\"", "\"dave\"", 1)).unwrap();
    assert_eq!(verify(&answers, &key, Some(&head)).code, 4);

    for (sql, code, what) in [
        ("UPDATE events SET actor = 'dave' WHERE seq = 2", 4, "event 2: changed"),
        ("UPDATE events SET data = json_set(data, '$.a', 1) WHERE seq = 2", 4, "event 2: changed"),
        // A member twice: readers differ in which one they take.
        (
            "UPDATE events SET data = '{\"digest\":1,' || substr(data, 2) WHERE seq = 2",
            4,
            "event 2: changed",
        ),
        ("UPDATE events SET signature = 'AAAA' WHERE seq = 3", 4, "event 3: not signed"),
        ("UPDATE events SET kid = 'k' WHERE seq = 3", 4, "event 3: signed with the key k"),
        ("DELETE FROM events WHERE seq = 3", 5, "event 4: does not go on"),
        ("DELETE FROM events WHERE seq = 1", 5, "event 2: does not go on"),
        ("DELETE FROM events WHERE seq > 6", 5, "event 9: missing"),
        (
            "UPDATE events SET prev = NULL, hash = NULL, kid = NULL, signature = NULL WHERE seq = 4",
            6,
            "event 4: in no chain",
        ),
        (
            "UPDATE events SET prev = NULL, hash = NULL, kid = NULL, signature = NULL",
            5,
            "event 9: missing",
        ),
    ] {
        edited(&database, sql, || {
            let ran = verify(&database, &key, Some(&head));
            assert_eq!(ran.code, code, "{sql}: {ran:?}");
            let said: Value = serde_json::from_str(&ran.stdout).unwrap();
            let findings = said["findings"].as_array().unwrap().iter();
            let texts: Vec<String> = findings
                .map(|one| format!("event {}: {}", one["seq"], one["what"].as_str().unwrap()))
                .collect();
            assert!(texts.iter().any(|text| text.starts_with(what)), "{sql}: {texts:?}");
            assert_eq!(said["proven"], Value::Null, "{sql}");
        });
    }
    assert_eq!(verify(&database, &key, Some(&head)).code, 0, "it is as it was");
}

/// As an auditor who has no file: the events come from the running service, page by page.
#[test]
fn the_running_service_is_asked_where_there_is_no_file() {
    let server = Server::start();
    let events = || server.get("grace", "/v1/audit/events")["events"].as_array().unwrap().len();
    let ask = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    // Beside the event of the new evidence database.
    for _ in 0..501 {
        let call = ureq::post(format!("{}/v1/requests", server.url));
        let call = call.header("authorization", format!("Bearer {}", token_of("alice")));
        assert_eq!(call.send_json(&ask).unwrap().status(), 201);
    }
    assert_eq!(events(), 500, "they are more than a page has");
    let mut command = breakglass();
    command.args(["database", "trail-key", "--config"]).arg(server.path("config.toml"));
    let key = server.path("trail.pub");
    fs::write(&key, Ran::from(command.output().unwrap()).done()).unwrap();
    let key = key.to_str().unwrap();
    let head = server.path("head.json");
    let head = head.to_str().unwrap();
    let verify = ["--json", "audit", "verify", "--service", "--trail-key", key];

    let first = server.run("grace", &verify);
    let said = first.json();
    assert_eq!((first.code, said["events"].as_u64()), (5, Some(502)), "{first:?}");
    assert_eq!(said["findings"], Value::Array(Vec::new()));
    fs::write(head, said["head"].to_string()).unwrap();
    let proven = server.run("grace", &[&verify[..], &["--trail-head", head]].concat());
    assert_eq!((proven.code, proven.json()["proven"].as_u64()), (0, Some(502)), "{proven:?}");
    // A head that the service does not have any more, or never had.
    fs::write(head, format!("{{\"seq\":503,\"hash\":\"{}\"}}", "0".repeat(64))).unwrap();
    let lost = server.run("grace", &[&verify[..], &["--trail-head", head]].concat());
    assert_eq!(lost.code, 5, "{lost:?}");
    assert!(lost.stdout.contains("missing: the head that was kept names it"), "{lost:?}");

    let refused = server.run("alice", &verify);
    assert_eq!(refused.code, 2, "{refused:?}");
    let mut command = breakglass();
    let nowhere = Ran::from(command.args(verify).output().unwrap());
    assert_eq!(nowhere.code, 3, "{nowhere:?}");
    assert!(nowhere.stdout.contains("BREAKGLASS_URL"), "{nowhere:?}");
    // The log of a proxy is in files alone.
    let mut command = breakglass();
    let no_file = Ran::from(command.args(["audit", "verify"]).output().unwrap());
    assert_eq!(no_file.code, 3, "{no_file:?}");
    assert!(no_file.stderr.contains("<FILE>"), "{no_file:?}");
}

#[test]
fn what_came_after_the_last_head_is_named_as_unproven() {
    let mut server = Server::start();
    let (database, key) = copy(&mut server);
    let said = verify(&database, &key, None);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    let head = server.path("head.json");
    fs::write(&head, said["head"].to_string()).unwrap();
    // The head of an earlier moment, by a database that ended there.
    let early = server.path("early.json");
    edited(&database, "DELETE FROM events WHERE seq > 5", || {
        let ran = verify(&database, &key, None);
        let said: Value = serde_json::from_str(&ran.stdout).unwrap();
        fs::write(&early, said["head"].to_string()).unwrap();
    });
    let ran = verify(&database, &key, Some(&early));
    assert_eq!(ran.code, 0, "{ran:?}");
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((said["proven"].as_u64(), said["unproven"].as_u64()), (Some(5), Some(4)));
    // Without its key nothing is proven.
    fs::write(&key, format!("other  {}\n", "11".repeat(32))).unwrap();
    assert_eq!(verify(&database, &key, Some(&head)).code, 4);
    fs::write(&key, "no key").unwrap();
    let refused = verify(&database, &key, None);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("64 hex digits"), "{refused:?}");
}

#[test]
fn heads_that_the_service_told_prove_what_was_there_and_a_forged_one_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let heads = directory.path().join("heads");
    let text = format!("{}\n[trail_heads]\nfile = \"{}\"\n", config(&directory), heads.display());
    let mut server = Server::start_with(directory, &text);
    until(|| fs::read_to_string(&heads).is_ok_and(|text| text.ends_with('\n')));
    let (database, key) = copy(&mut server);
    let first: Value = serde_json::from_str(&fs::read_to_string(&heads).unwrap()).unwrap();
    let said = verify(&database, &key, None).json();
    // A later line, as the service would have written it; the last line that is proven counts.
    let line = |head: &Value| format!("{head}\n");
    fs::write(&heads, line(&first) + &line(&said["head"])).unwrap();
    let ran = verify(&database, &key, Some(&heads));
    assert_eq!((ran.code, &ran.json()["proven"]), (0, &said["head"]["seq"]), "{ran:?}");
    fs::write(&heads, line(&first)).unwrap();
    let ran = verify(&database, &key, Some(&heads));
    assert_eq!((ran.code, &ran.json()["proven"]), (0, &first["seq"]), "{ran:?}");
    // A line that a full disk cut off proves nothing, and takes no other along.
    fs::write(&heads, format!("{{\"hash\": \"9f\n{}", line(&said["head"]))).unwrap();
    let ran = verify(&database, &key, Some(&heads));
    assert_eq!((ran.code, &ran.json()["proven"]), (0, &said["head"]["seq"]), "{ran:?}");
    assert!(ran.stderr.contains("1 lines are no heads"), "{ran:?}");
    for member in ["time", "signature"] {
        let mut forged = first.clone();
        forged[member] = Value::from("2030-01-01T00:00:00Z");
        fs::write(&heads, line(&forged) + &line(&said["head"])).unwrap();
        let ran = verify(&database, &key, Some(&heads));
        assert_eq!(ran.code, 4, "{member}: {ran:?}");
        assert!(ran.stdout.contains("is not signed by the key"), "{ran:?}");
    }
}
