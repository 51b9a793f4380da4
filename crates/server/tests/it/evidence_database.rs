//! Heads have a database of their own: whatever happens to it, revocations go on, and the heads of the version
//! before are in it once.

use std::fs;
use std::time::Duration;

use breakglass_server::config::{Config, InvalidConfig};
use breakglass_server::evidence::Evidence;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::time::Instant;

use breakglass_testing::credentials::proxy;
use breakglass_testing::evidence::{of_the_version_before, report, tables};
use breakglass_testing::heads::{head, listed};
use breakglass_testing::service::{START, Service, config, token_of};

async fn locked(path: &std::path::Path) -> SqliteConnection {
    let url = format!("sqlite://{}", path.display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
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
fn its_fields_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory);
    let main = directory.path().join("approvals.db");
    for (line, error) in [
        (
            format!("evidence_database = \"{}\"", main.display()),
            "expected another file than `database`, and than the one of deliveries beside it",
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

/// The copy is broken off again and again, wherever it is.
#[tokio::test(flavor = "multi_thread")]
async fn heads_of_the_version_before_are_copied_once_wherever_the_copy_was_broken_off() {
    let directory = of_the_version_before(10_000).await;
    let main = directory.path().join("approvals.db");
    let before = tables(&main).await;
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>()[..2], [10_000, 7]);
    let text = config(&directory);
    let config = Config::parse(&text).unwrap();
    let (mut broken_off, mut failed) = (0, 0);
    for patience in (1..).map(|round| Duration::from_millis(round * 7)) {
        let evidence = Evidence::new(&config);
        let opened = tokio::time::timeout(patience, evidence.open()).await;
        evidence.close().await;
        match opened {
            Ok(Ok(copied)) => {
                assert_eq!(copied, Some(10 + 9_999 * 3));
                break;
            }
            // What was broken off before may be at its commit still. The service tries again, too.
            Ok(Err(error)) => {
                failed += 1;
                let is_that = error.to_string().contains("already exists");
                assert!(is_that && failed < 3, "{error}");
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
