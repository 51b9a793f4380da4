//! A process is killed with SIGKILL while its sink is down: nothing is lost, and nothing is told under another id.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use breakglass_server::outbox;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::{START, Service};

use super::deliveries::{until, until_taken, webhook, with_sinks};

const TEST: &str =
    "killed::what_a_process_that_is_killed_was_about_to_tell_is_told_by_the_next_one";

/// The service on the files of this folder, which is not removed with it.
async fn start(folder: &Path, receiver: &Receiver, now: i64) -> Service {
    let own = tempfile::tempdir().unwrap();
    // Longer than any attempt takes by the clock of the test, which runs fast.
    let text = with_sinks(&own, &webhook("siem", receiver, "timeout = \"60s\""));
    let text = text.replace(own.path().to_str().unwrap(), folder.to_str().unwrap());
    let service = Service::start_with(own, &text, now).await;
    tokio::spawn(outbox::keep(service.app.clone()));
    until(async || !service.app.outbox().states().is_empty()).await;
    service
}

/// What is killed: makes requests, and lets time pass.
async fn child(folder: &Path, url: &str, now: i64) {
    let mut receiver = Receiver::start();
    receiver.url = url.to_owned();
    let service = start(folder, &receiver, now).await;
    loop {
        let (_, _) = service.approved().await;
        service.advance(1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_that_is_killed_was_about_to_tell_is_told_by_the_next_one() {
    if let Ok(folder) = std::env::var("OUTBOX_FOLDER") {
        let url = std::env::var("OUTBOX_URL").unwrap();
        let now = std::env::var("OUTBOX_NOW").unwrap().parse().unwrap();
        return child(Path::new(&folder), &url, now).await;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), super::deliveries::SECRET).unwrap();
    // Nothing is taken; some answers never come.
    let receiver = Receiver::answering(|number, _| match number % 3 {
        0 => Reply::Close,
        1 => Reply::Status(503, "", ""),
        _ => Reply::Hang(Duration::from_millis(300)),
    });
    for life in 0..3 {
        let calls = receiver.calls().len();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST])
            .env("OUTBOX_FOLDER", folder.path())
            .env("OUTBOX_URL", &receiver.url)
            .env("OUTBOX_NOW", (START + 600 * life).to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until(async || receiver.calls().len() > calls + 3).await;
        // SIGKILL, with attempts under way.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let tried: BTreeSet<String> = receiver.calls().iter().map(|call| call.id()).collect();
    receiver.answers(|_, _| Reply::Status(200, "", ""));
    let service = start(folder.path(), &receiver, START + 1800).await;
    let page = service.get("grace", "/v1/audit/events").await.ok();
    let events = page["events"].as_array().unwrap();
    let happened: BTreeSet<String> =
        events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert!(happened.len() >= 6, "{happened:?}");
    until_taken(&service, &receiver, happened.len()).await;
    assert_eq!(receiver.ids(), happened);
    assert!(tried.is_subset(&happened));
    let mut seen = BTreeSet::new();
    for call in receiver.taken() {
        let event = call.json();
        let is_first = seen.insert(event["request"].as_str().unwrap().to_owned());
        assert_eq!(event["type"] == "breakglass.request.submitted", is_first, "{event}");
    }
}
