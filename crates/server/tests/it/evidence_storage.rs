//! Storage faults of the evidence database, provoked for real: evidence is refused, revocations are not, and once it
//! is over everything works again without a restart. Mounting takes root.

use std::fs;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::storage::{Mounted, fill, is_refused};
use breakglass_testing::heads::{head, listed};
use breakglass_testing::service::{START, Service, config};

/// A service whose evidence database is in a directory of its own, on a file system of its own.
async fn apart() -> (Service, TempDir, Mounted) {
    let evidence = tempfile::tempdir().unwrap();
    let disk = Mounted::tmpfs(evidence.path());
    let directory = tempfile::tempdir().unwrap();
    let path = evidence.path().join("evidence.db");
    let text = format!("evidence_database = \"{}\"\n{}", path.display(), config(&directory));
    (Service::start_with(directory, &text, START).await, evidence, disk)
}

async fn report(service: &Service, seq: i64) -> breakglass_testing::service::Answer {
    let mut head = head(seq, 'a');
    head["grants"] = json!({ "x".repeat(200): seq });
    service.post("envoy", "/v1/audit/heads", json!({ "node": "n1", "heads": [head] })).await
}

async fn revocations_work(service: &Service) {
    let grant = service.approved().await.1;
    service.revoke("carol", &grant).await.ok();
    service.approved().await;
    service.kill("carol", json!({ "all": true })).await.ok();
    service.feed("").await.ok();
    service.get("nobody", "/readyz").await.ok();
}

fn of_alice(rows: &[Value]) -> usize {
    rows.iter().filter(|row| row["caller"] == "alice").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_evidence_disk_holds_up_attempts_and_heads_but_no_revocation() {
    let (service, evidence, _disk) = apart().await;
    report(&service, 1).await.ok();
    let ballast = evidence.path().join("ballast");
    fill(&ballast);
    is_refused(&report(&service, 2).await, "storage_low");
    for _ in 0..30 {
        service.get("alice", "/v1/audit/heads").await.refusal();
    }
    revocations_work(&service).await;
    assert_eq!(listed(&service, "").await.len(), 1, "reading goes on");
    fs::remove_file(ballast).unwrap();
    report(&service, 2).await.ok();
    crate::attempts::until(&service, |rows| of_alice(rows) == 20).await;
    revocations_work(&service).await;
}

/// What waits has an end: it is counted, and the service goes on.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_cannot_be_written_before_the_end_are_lost_and_counted() {
    let (service, evidence, _disk) = apart().await;
    fill(&evidence.path().join("ballast"));
    for _ in 0..30 {
        service.get("alice", "/v1/audit/heads").await.refusal();
    }
    revocations_work(&service).await;
    service.app.close_evidence().await;
    assert_eq!(service.counter("breakglass_attempts_total{result=\"lost\"}").await, 30);
    revocations_work(&service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_evidence_disk_refuses_heads_until_it_can_be_written() {
    let evidence = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = evidence.path().join("evidence.db");
    let text = format!("evidence_database = \"{}\"\n{}", path.display(), config(&directory));
    let read_only = Mounted::read_only(evidence.path());
    // It cannot even be made.
    let service = Service::start_with(directory, &text, START).await;
    is_refused(&report(&service, 1).await, "evidence_unavailable");
    revocations_work(&service).await;
    drop(read_only);
    for _ in 0..100 {
        if service.app.evidence().is_open() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    join_all((1..20).map(|seq| report(&service, seq))).await.into_iter().for_each(|answer| {
        answer.ok();
    });
    revocations_work(&service).await;
}
