//! A backup is put back: what was used after it is owed all the same, under the id by which its receiver knows it.

use std::collections::BTreeSet;

use breakglass_server::config::Config;
use breakglass_server::store::maintenance::backup;
use breakglass_server::store::restore::{Options, restore};
use breakglass_server::tasks::rotations::keep_rotating;
use breakglass_testing::copies::ended;
use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::Service;
use serde_json::Value;
use tempfile::TempDir;

use super::deliveries::until;
use super::rotations::{hook, list, used, with_hooks};

fn text(directory: &TempDir, receiver: &Receiver) -> String {
    with_hooks(directory, &hook("orders", receiver, ""), &[("orders:read", "orders")])
}

fn ids(listed: &Value) -> BTreeSet<String> {
    let rotations = listed["rotations"].as_array().unwrap().iter();
    rotations.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a restore goes by real time")]
async fn what_was_used_after_the_backup_is_owed_under_its_id() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let receiver = Receiver::start();
    let directory = tempfile::tempdir().unwrap();
    let configuration = text(&directory, &receiver);
    let service = Service::start_with(directory, &configuration, now).await;
    used(&service, &["orders:read"]).await;
    let config = Config::parse(&configuration).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("backup");
    backup(&config, &from).await.unwrap();
    // One that the backup does not have; both hold when the database is lost.
    service.advance(1);
    used(&service, &["orders:read"]).await;
    let before = ids(&list(&service, "grace", "?state=waiting").await);
    assert_eq!(before.len(), 2);
    let directory = ended(service).await;
    restore(&config, &Options { from, ..Options::default() }).await.unwrap();
    let service = Service::start_with(directory, &configuration, now + 60).await;
    tokio::spawn(keep_rotating(service.app.clone()));
    // The one that the backup does not have was ended by the restore.
    until(async || {
        service.tick().await;
        receiver.calls().len() == 1
    })
    .await;
    assert_eq!(ids(&list(&service, "grace", "").await), before);
    assert!(before.contains(&receiver.calls()[0].id()));
    service.advance(1800 + 60);
    until(async || {
        service.tick().await;
        receiver.calls().len() == 2
    })
    .await;
    assert_eq!(receiver.ids(), before);
}
