//! Heads have a database of their own: whatever happens to it, revocations go on, and the heads of the version
//! before are in it once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use breakglass_approval::config::{Config, InvalidConfig};
use breakglass_approval::evidence::Evidence;
use breakglass_approval::store::Store;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, SqlitePool};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::heads::{head, listed};
use crate::heads_owner::proxy;
use crate::process::Server;
use crate::service::{START, Service, config, token_of};

async fn locked(path: &std::path::Path) -> SqliteConnection {
    let url = format!("sqlite://{}", path.display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
}

fn report(seq: i64) -> Value {
    json!({ "node": "n1", "heads": [head(seq, 'a')] })
}

/// Whatever ends a grant or tells of it.
async fn revocations_work(service: &Service) {
    let (id, grant) = service.approved().await;
    service.token(&id).await;
    service.revoke("carol", &grant).await.ok();
    service.approved().await;
    assert_eq!(service.kill("carol", json!({ "all": true })).await.ok()["revoked"], 1);
    let feed = service.feed("").await.ok();
    assert!(feed["epoch"].as_i64().unwrap() >= 2, "{feed}");
    service.get("nobody", "/readyz").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_takes_no_lock_of_the_main_database() {
    let service = Service::start().await;
    let _lock = locked(&service.directory.path().join("approvals.db")).await;
    service.post("envoy", "/v1/audit/heads", report(1)).await.ok();
    assert_eq!(listed(&service, "").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_evidence_database_holds_up_no_revocation() {
    let service = Service::start().await;
    let lock = locked(&service.directory.path().join("approvals-evidence.db")).await;
    // More reports, pages and refused attempts than there are connections.
    let reports =
        join_all((1..20).map(|seq| service.post("envoy", "/v1/audit/heads", report(seq))));
    let attempts = join_all((0..20).map(|_| service.get("alice", "/v1/audit/heads")));
    let start = Instant::now();
    let work = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        revocations_work(&service).await;
        start.elapsed()
    };
    let (reports, _, took) = tokio::join!(reports, attempts, work);
    assert!(took < Duration::from_secs(2), "{took:?}");
    for answer in reports {
        assert_eq!(answer.refusal(), (503, "storage_busy"));
    }
    drop(lock);
    service.post("envoy", "/v1/audit/heads", report(1)).await.ok();
    // The attempts that could not be written are now.
    let refused = |rows: &[Value]| rows.iter().filter(|row| row["caller"] == "alice").count() == 20;
    crate::attempts::until(&service, refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evidence_database_that_cannot_be_opened_holds_up_nothing_and_is_opened_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals-evidence.db");
    fs::create_dir(&path).unwrap();
    let service = Service::start_in(directory).await;
    for answer in [
        service.post("envoy", "/v1/audit/heads", report(1)).await,
        service.get("grace", "/v1/audit/heads").await,
        service.get("grace", "/v1/audit/attempts").await,
    ] {
        assert_eq!(answer.refusal(), (503, "evidence_unavailable"));
        assert!(answer.headers.contains_key("retry-after"));
    }
    revocations_work(&service).await;
    let counter = "breakglass_audit_reports_refused_total{reason=\"evidence_unavailable\"}";
    assert_eq!(service.counter(counter).await, 1);
    fs::remove_dir(&path).unwrap();
    for _ in 0..100 {
        if service.app.evidence().is_open() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    service.post("envoy", "/v1/audit/heads", report(1)).await.ok();
    revocations_work(&service).await;
}

#[test]
fn a_server_starts_and_revokes_without_its_evidence_database() {
    for broken in ["a directory", "no database"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("approvals-evidence.db");
        match broken {
            "a directory" => fs::create_dir(&path).unwrap(),
            _ => {
                fs::write(&path, "this is no database, whatever its name says".repeat(100)).unwrap()
            }
        }
        let text = config(&directory);
        let mut server = Server::start_with(directory, &text);
        let id = server.pending();
        server.run("carol", &["approve", "--yes", &id]).done();
        let arguments = ["--json", "revoke", "--all", "--reason", "keys leaked"];
        assert_eq!(server.run("carol", &arguments).json()["revoked"], 1, "{broken}");
        assert!(server.log().contains("evidence"), "{broken}: {}", server.log());
        assert_eq!(server.stop("TERM"), Some(0), "{broken}: {}", server.log());
    }
}

#[test]
fn it_is_beside_the_main_database_for_its_owner_alone_or_where_the_configuration_says() {
    let server = Server::start();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = server.path("approvals-evidence.db");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&server.path("approvals-evidence.db-wal")), 0o600);
    let trail = server.run("grace", &["audit", "heads"]).done();
    assert!(trail.contains("\"heads\":["), "{trail}");

    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory);
    let elsewhere = directory.path().join("elsewhere");
    let named = format!("evidence_database = \"{}\"\n{text}", elsewhere.display());
    let server = Server::start_with(directory, &named);
    assert!(elsewhere.exists() && !server.path("approvals-evidence.db").exists());
}

#[test]
fn its_fields_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory);
    let main = directory.path().join("approvals.db");
    for (line, error) in [
        (
            format!("evidence_database = \"{}\"", main.display()),
            "expected another file than `database`",
        ),
        ("evidence_retention = \"1h\"".to_owned(), "expected 1day to 36500days, got `1h`"),
        ("evidence_retention = \"200years\"".to_owned(), "expected 1day to 36500days"),
        ("evidence_thin_after = \"soon\"".to_owned(), "got `soon`"),
    ] {
        let Err(InvalidConfig::Fields(errors)) = Config::parse(&format!("{line}\n{text}")) else {
            panic!("{line}")
        };
        assert!(errors.len() == 1 && errors[0].to_string().contains(error), "{errors:?}");
    }
    let config = Config::parse(&text).unwrap();
    assert_eq!((config.evidence_retention, config.evidence_thin_after), (400 * 86400, 30 * 86400));
    let at = |name: &str| {
        let text = text.replace("approvals.db", name);
        Config::parse(&text).unwrap().evidence_path().file_name().unwrap().to_owned()
    };
    assert_eq!(at("a.b.sqlite"), "a.b-evidence.sqlite");
    assert_eq!(at("approvals"), "approvals-evidence");
}

#[tokio::test]
async fn a_new_evidence_database_is_on_the_trail() {
    let service = Service::start().await;
    let Service { app, directory, .. } = service;
    app.close_evidence().await;
    app.store().close().await;
    for name in ["approvals-evidence.db", "approvals-evidence.db-wal", "approvals-evidence.db-shm"]
    {
        let _ = fs::remove_file(directory.path().join(name));
    }
    let text = config(&directory);
    let config = Config::parse(&text).unwrap();
    let evidence = Evidence::new(&config);
    assert_eq!(evidence.open().await.unwrap(), Some(0));
    assert_eq!(evidence.open().await.unwrap(), None);
    evidence.close().await;
    // The binary writes it down.
    fs::remove_file(directory.path().join("approvals-evidence.db")).unwrap();
    let server =
        tokio::task::spawn_blocking(move || Server::start_with(directory, &text)).await.unwrap();
    let url = format!("sqlite://{}", server.path("approvals.db").display());
    let main = SqlitePool::connect(&url).await.unwrap();
    let acts: Vec<(String, String)> =
        sqlx::query_as("SELECT actor, action FROM service_trail").fetch_all(&main).await.unwrap();
    assert_eq!(acts, [("service".to_owned(), "evidence_made".to_owned())]);
}

/// A main database as the version before this one left it: so many heads of seven chains, whose owner is proven for
/// one; with one chain that was seen again later, and one that another proxy claims too.
async fn of_the_version_before(heads: i64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    Store::open(&path).await.unwrap().close().await;
    let database = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    // The triggers of that version keep the tables beside it.
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
         INSERT INTO audit_heads (id, reported_at_ms, proxy, node, process, chain, seq, hash, began, ended,
             grants, conflict)
         SELECT 10 + i * 3, ?2 + i * 1000, CASE WHEN i % 11 = 5 THEN 'edge' ELSE 'envoy' END, 'n' || (i % 7),
             CASE WHEN i % 2 THEN printf('%032x', 7) END, printf('%032x', i % 7), i / 7 + 1,
             printf('%064x', i), '2026-11-22T02:12:59.5Z', 0,
             json_object('g' || (i % 13), i / 13 + 1, 'é\"' || (i % 5), 1), NULL FROM n",
    )
    .bind(heads)
    .bind((START - 100_000) * 1000)
    .execute(&database)
    .await
    .unwrap();
    sqlx::raw_sql(
        "UPDATE audit_chain_owners SET proven = 1 WHERE chain LIKE '%3';
         UPDATE audit_reporters SET seen_at_ms = seen_at_ms + 500000 WHERE chain LIKE '%2'",
    )
    .execute(&database)
    .await
    .unwrap();
    database.close().await;
    directory
}

/// All rows of the tables of heads, by the columns that both have.
async fn tables(path: &std::path::Path) -> Vec<Vec<String>> {
    let database = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let mut tables = Vec::new();
    for sql in [
        "SELECT json_array(id, reported_at_ms, proxy, node, process, chain, seq, hash, began, ended, grants,
             conflict) FROM audit_heads ORDER BY id",
        "SELECT json_array(id, chain, owner, proven) FROM audit_chain_owners ORDER BY id",
        "SELECT json_array(id, chain, proxy, node, head_id, seq, seen_at_ms, first_ms, last_ms, heads, ended_seq)
         FROM audit_reporters ORDER BY id",
        "SELECT json_array(reporter, grant_id, count) FROM audit_reporter_grants ORDER BY 1",
    ] {
        tables.push(sqlx::query_scalar(sql).fetch_all(&database).await.unwrap());
    }
    database.close().await;
    tables
}

/// The copy is broken off again and again, wherever it is.
#[tokio::test(flavor = "multi_thread")]
async fn heads_of_the_version_before_are_copied_once_wherever_the_copy_was_broken_off() {
    let directory = of_the_version_before(10_000).await;
    let main = directory.path().join("approvals.db");
    let before = tables(&main).await;
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>()[..2], [10_000, 7]);
    let text = config(&directory);
    let config = Config::parse(&text).unwrap();
    let mut broken_off = 0;
    for patience in (1..).map(|round| Duration::from_millis(round * 7)) {
        let evidence = Evidence::new(&config);
        let opened = tokio::time::timeout(patience, evidence.open()).await;
        evidence.close().await;
        match opened {
            Ok(opened) => {
                assert_eq!(opened.unwrap(), Some(10 + 9_999 * 3));
                break;
            }
            Err(_) => broken_off += 1,
        }
    }
    assert!(broken_off > 2, "{broken_off}");
    assert_eq!(tables(&directory.path().join("approvals-evidence.db")).await, before);
    assert_eq!(tables(&main).await, before, "they stay where they were");
    // What comes now comes after them.
    let service = Service::start_with(
        directory,
        &format!("{text}{}", proxy("edge", &token_of("edge"))),
        START,
    )
    .await;
    service.post("envoy", "/v1/audit/heads", report(1)).await.ok();
    let page =
        service.get("grace", &format!("/v1/audit/heads?after={}", 10 + 9_999 * 3)).await.ok();
    assert_eq!(page["heads"].as_array().unwrap().len(), 1);
}

#[test]
fn a_server_that_is_killed_while_it_copies_goes_on_at_the_next_start() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut directory = runtime.block_on(of_the_version_before(30_000));
    let before = runtime.block_on(tables(&directory.path().join("approvals.db")));
    let text = config(&directory);
    for _ in 0..3 {
        directory = Server::start_with(directory, &text).leave("KILL");
    }
    let server = Server::start_with(directory, &text);
    crate::process::until(|| server.run("grace", &["audit", "heads"]).code == 0);
    let after = runtime.block_on(tables(&server.path("approvals-evidence.db")));
    assert_eq!(
        after.iter().map(Vec::len).collect::<Vec<_>>(),
        before.iter().map(Vec::len).collect::<Vec<_>>()
    );
    assert!(after == before);
}

/// The two proxies `envoy` and `edge`.
async fn two_proxies() -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{}{}", config(&directory), proxy("edge", &token_of("edge")));
    Service::start_with(directory, &text, START).await
}

fn chains(from: usize, count: usize) -> Value {
    let heads: Vec<Value> = (from..from + count)
        .map(|chain| {
            let mut head = head(1, 'a');
            head["chain"] = json!(format!("{chain:032x}"));
            head
        })
        .collect();
    json!({ "node": "n1", "heads": heads })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_credential_that_makes_up_chains_keeps_no_other_out() {
    let service = two_proxies().await;
    for round in 0..5 {
        service.post("envoy", "/v1/audit/heads", chains(round * 1000, 1000)).await.ok();
    }
    let answer = service.post("envoy", "/v1/audit/heads", chains(5000, 1)).await;
    assert_eq!(answer.refusal(), (429, "evidence_quota"));
    assert!(answer.headers.contains_key("retry-after"));
    // Chains that it has, and the chains of others.
    service.post("envoy", "/v1/audit/heads", chains(0, 1000)).await.ok();
    service.post("edge", "/v1/audit/heads", chains(9000, 1000)).await.ok();
    let counter = "breakglass_audit_reports_refused_total{reason=\"new_chains\"}";
    assert_eq!(service.counter(counter).await, 1);
    // Another node's name for the same chain is a chain to us.
    let mut other = chains(0, 1);
    other["node"] = json!("n2");
    assert_eq!(service.post("envoy", "/v1/audit/heads", other).await.refusal().0, 429);
}

#[tokio::test]
async fn one_credential_takes_no_more_of_the_disk_than_it_leaves() {
    let service = two_proxies().await;
    service.post("envoy", "/v1/audit/heads", report(1)).await.ok();
    let database = service.evidence().await;
    let (chains, bytes): (i64, i64) =
        sqlx::query_as("SELECT chains, bytes FROM proxy_usage").fetch_one(&database).await.unwrap();
    assert!(chains == 1 && (1000..2000).contains(&bytes), "{chains} {bytes}");
    let all = "UPDATE proxy_usage SET bytes = 1 << 60";
    sqlx::query(all).execute(&database).await.unwrap();
    let answer = service.post("envoy", "/v1/audit/heads", report(2)).await;
    assert_eq!(answer.refusal(), (429, "evidence_quota"));
    service.post("edge", "/v1/audit/heads", chains_of("edge")).await.ok();
    let most = "UPDATE proxy_usage SET bytes = 0, chains = 1000000";
    sqlx::query(most).execute(&database).await.unwrap();
    service.post("envoy", "/v1/audit/heads", report(3)).await.ok();
    let answer = service.post("envoy", "/v1/audit/heads", chains_of("envoy")).await;
    assert_eq!(answer.refusal(), (429, "evidence_quota"));
}

fn chains_of(name: &str) -> Value {
    chains(name.len(), 1)
}

#[test]
fn a_report_that_is_too_large_is_refused_in_our_words_and_logged() {
    let server = Server::start();
    let grants =
        |count: usize| -> Value { (0..count).map(|n| (format!("{n:x}"), json!(1))).collect() };
    let mut many = report(1);
    many["heads"][0]["grants"] = grants(50_001);
    let mut most = report(1);
    most["heads"][0]["grants"] = grants(50_000);
    let mut large = report(1);
    large["heads"][0]["began"] = json!("x".repeat(1 << 20));
    let post = |body: &Value| {
        let answer = ureq::post(format!("{}/v1/audit/heads", server.url))
            .config()
            .http_status_as_error(false)
            .build()
            .header("authorization", format!("Bearer {}", token_of("envoy")))
            .header("content-type", "application/json")
            .send(body.to_string());
        let mut answer = answer.unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json::<Value>().unwrap())
    };
    assert_eq!(post(&most).0, 200);
    for (body, size) in [(&many, many.to_string().len()), (&large, large.to_string().len())] {
        let (status, answer) = post(body);
        assert_eq!((status, &answer["reason"]), (413, &json!("body_too_large")));
        if body == &many {
            let line = server.log();
            let line = line.lines().find(|line| line.contains("report of heads refused")).unwrap();
            assert!(line.contains("proxy=\"envoy\"") && line.contains("node=\"n1\""), "{line}");
            assert!(line.contains(&size.to_string()) && line.contains("body_too_large"), "{line}");
        }
    }
    let mut metrics = ureq::get(format!("{}/metrics", server.url)).call().unwrap();
    let metrics = metrics.body_mut().read_to_string().unwrap();
    let counter = "breakglass_audit_reports_refused_total{reason=\"body_too_large\"} 2";
    assert!(metrics.contains(counter), "{metrics}");
}
