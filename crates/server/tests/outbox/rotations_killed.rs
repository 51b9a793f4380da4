//! A process is killed with SIGKILL between a call of a hook and its record: the next one calls again, under the same id.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use breakglass_server::tasks::rotations::keep_rotating;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::{START, Service};

use super::deliveries::until;
use super::rotations::{events, hook, list, owed, with_hooks};

const TEST: &str =
    "rotations_killed::a_call_whose_end_no_process_wrote_down_is_made_again_with_its_id";

/// The service on the files of this folder, which is not removed with it.
async fn start(folder: &Path, receiver: &Receiver, now: i64) -> Service {
    let own = tempfile::tempdir().unwrap();
    let text = with_hooks(
        &own,
        &hook("orders", receiver, "timeout = \"60s\""),
        &[("orders:read", "orders")],
    );
    let text = text.replace(own.path().to_str().unwrap(), folder.to_str().unwrap());
    let service = Service::start_with(own, &text, now).await;
    tokio::spawn(keep_rotating(service.app.clone()));
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_end_no_process_wrote_down_is_made_again_with_its_id() {
    // The receiver takes the call, and its answer never comes.
    let receiver = Receiver::answering(|_, _| Reply::Hang(Duration::from_secs(30)));
    if let Ok(folder) = std::env::var("ROTATIONS_FOLDER") {
        let mut receiver = receiver;
        receiver.url = std::env::var("ROTATIONS_URL").unwrap();
        let service = start(Path::new(&folder), &receiver, START).await;
        owed(&service).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), super::deliveries::SECRET).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST])
        .env("ROTATIONS_FOLDER", folder.path())
        .env("ROTATIONS_URL", &receiver.url)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until(async || receiver.calls().len() == 1).await;
    // SIGKILL, with the call under way.
    child.kill().unwrap();
    child.wait().unwrap();
    receiver.answers(|_, _| Reply::Status(200, "", ""));
    let service = start(folder.path(), &receiver, START + 10).await;
    until(async || {
        service.advance(1);
        list(&service, "grace", "?state=done").await["rotations"][0].is_object()
    })
    .await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 2);
    let ids: BTreeSet<String> = calls.iter().map(|call| call.id()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let kinds: Vec<String> = events(&service).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["breakglass.rotation.owed", "breakglass.rotation.done"]);
}
