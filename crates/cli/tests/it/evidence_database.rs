//! The evidence database of a running process.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use breakglass_server::config::Config;
use breakglass_server::evidence::Evidence;
use breakglass_testing::evidence::{of_the_version_before, report, tables};
use breakglass_testing::service::{Service, config, token_of};
use serde_json::{Value, json};
use sqlx::SqlitePool;

use crate::process::Server;

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
