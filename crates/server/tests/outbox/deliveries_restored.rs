//! A database that was put back has places that are given again: what is new is told, and nothing is told twice.

use std::collections::BTreeSet;
use std::fs;

use breakglass_server::outbox;
use breakglass_testing::copies::ended;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::{START, Service};
use serde_json::Value;
use tempfile::TempDir;

use super::deliveries::{list, until, until_taken, webhook, with_sinks};

async fn start(directory: TempDir, sinks: &str, now: i64) -> Service {
    let text = with_sinks(&directory, sinks);
    let service = Service::start_with(directory, &text, now).await;
    tokio::spawn(outbox::keep(service.app.clone()));
    until(async || !service.app.outbox().states().is_empty()).await;
    service
}

async fn stop(service: Service) -> TempDir {
    service.app.outbox().close().await;
    ended(service).await
}

/// The ids of all events of the database.
async fn events(service: &Service) -> BTreeSet<String> {
    let page = service.get("grace", "/v1/audit/events").await.ok();
    let ids = page["events"].as_array().unwrap().iter().map(|event| event["id"].clone());
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn files(directory: &TempDir) -> Vec<(String, Vec<u8>)> {
    let names = ["approvals.db", "approvals.db-wal", "approvals.db-shm"];
    let read =
        |name: &str| fs::read(directory.path().join(name)).ok().map(|file| (name.to_owned(), file));
    names.into_iter().filter_map(read).collect()
}

fn put_back(directory: &TempDir, backup: &[(String, Vec<u8>)]) {
    for name in ["approvals.db", "approvals.db-wal", "approvals.db-shm"] {
        let _ = fs::remove_file(directory.path().join(name));
    }
    for (name, file) in backup {
        fs::write(directory.path().join(name), file).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_put_back_loses_nothing_and_repeats_nothing() {
    let receiver = Receiver::start();
    let sinks = webhook("siem", &receiver, "");
    let directory = tempfile::tempdir().unwrap();
    let service = start(directory, &sinks, START).await;
    for _ in 0..3 {
        service.pending().await;
    }
    until(async || receiver.taken().len() == 3).await;
    let mut told = events(&service).await;
    let directory = stop(service).await;
    let backup = files(&directory);

    // What happens after the backup is told, or waits.
    let service = start(directory, &sinks, START + 60).await;
    for _ in 0..4 {
        service.pending().await;
    }
    until(async || receiver.taken().len() == 7).await;
    receiver.answers(|_, _| Reply::Status(500, "", ""));
    service.pending().await;
    until(async || list(&service, "?state=waiting").await["deliveries"] != Value::Array(vec![]))
        .await;
    told.extend(events(&service).await);
    let directory = stop(service).await;

    // The places 4 and 5 are given again, to other events.
    put_back(&directory, &backup);
    receiver.answers(|_, _| Reply::Status(200, "", ""));
    let service = start(directory, &sinks, START + 120).await;
    assert_eq!(events(&service).await.len(), 3, "the backup");
    for _ in 0..2 {
        service.pending().await;
    }
    until_taken(&service, &receiver, 10).await;
    told.extend(events(&service).await);
    // What waited when the backup was put back happened, and is told.
    assert_eq!((told.len(), receiver.ids()), (10, told.clone()));

    // And once more, with an empty database.
    let directory = stop(service).await;
    put_back(&directory, &[]);
    let service = start(directory, &sinks, START + 180).await;
    service.pending().await;
    until_taken(&service, &receiver, 11).await;
    told.extend(events(&service).await);
    assert_eq!((told.len(), receiver.ids()), (11, told));
}

/// The file of deliveries is lost: sinks are told of what happens from then on.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_of_deliveries_begins_with_what_happens_from_then_on() {
    let receiver = Receiver::start();
    let sinks = webhook("siem", &receiver, "");
    let service = start(tempfile::tempdir().unwrap(), &sinks, START).await;
    service.pending().await;
    until(async || receiver.taken().len() == 1).await;
    let directory = stop(service).await;
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(directory.path().join(format!("approvals-outbox.db{end}")));
    }
    let service = start(directory, &sinks, START + 60).await;
    service.pending().await;
    until(async || receiver.taken().len() == 2).await;
    assert_eq!(receiver.ids().len(), 2);
}
