//! A process is killed with SIGKILL after a review was owed: the next one tells that it is overdue, and nothing twice.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use breakglass_testing::service::START;

use crate::common::{RULE, WITHIN_S, beside, by_service, events, owed, used};

const TEST: &str = "killed::a_process_that_is_killed_loses_and_repeats_nothing";

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_loses_and_repeats_nothing() {
    if let Ok(folder) = std::env::var("REVIEWS_FOLDER") {
        let folder = Path::new(&folder);
        let service = beside(folder, RULE, START).await;
        // One whose review is owed, and one whose grant holds.
        owed(&service).await;
        used(&service, &["orders:read"]).await;
        std::fs::write(folder.join("owed"), "").unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST])
        .env("REVIEWS_FOLDER", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.path().join("owed").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the process has ended by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    // After the deadline of the one, and the end of the other.
    let service = beside(folder.path(), RULE, START + WITHIN_S).await;
    for _ in 0..3 {
        service.tick().await;
    }
    assert_eq!(events(&service).await, by_service(&["owed", "owed", "overdue"]));
    let again = beside(folder.path(), RULE, START + WITHIN_S + 10).await;
    again.tick().await;
    assert_eq!(events(&again).await, by_service(&["owed", "owed", "overdue"]));
}
