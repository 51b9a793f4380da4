//! Signing keys that the service replaces by itself.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use breakglass_server::issuer::KeyState;
use breakglass_server::key_schedule::{self, PUBLISH_S};
use breakglass_server::key_switch;
use breakglass_server::limits::{CLOCK_SKEW_S, MAX_GRANT_S};

use crate::storage::Mounted;
use breakglass_testing::service::{START, Service, config};

const DAY: i64 = 24 * 60 * 60;

async fn service(every: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{}\n[signing_keys]\n{every}\n", config(&directory));
    Service::start_with(directory, &text, START).await
}

fn files(directory: &Path) -> BTreeSet<OsString> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

/// What each key is for, after the service has looked at the schedule and the switch.
fn states(service: &Service) -> Vec<KeyState> {
    let ring = service.app.issuer().default_ring();
    key_schedule::step(&service.app, &ring).unwrap();
    ring.reload().unwrap();
    assert_eq!(key_switch::step(&service.app, &ring).unwrap(), None);
    let list = ring.directory().list(service.app.now()).unwrap();
    list.into_iter().map(|(_, state)| state).collect()
}

#[tokio::test]
async fn a_successor_is_made_published_and_signs_and_the_one_before_it_is_removed() {
    let service = service("rotate_every = \"90days\"").await;
    assert_eq!(states(&service), [KeyState::Signs]);
    service.advance(90 * DAY - PUBLISH_S - 1);
    assert_eq!(states(&service), [KeyState::Signs], "not yet");
    service.advance(1);
    let due = START + 90 * DAY;
    for _ in 0..2 {
        assert_eq!(states(&service), [KeyState::Signs, KeyState::Waits(due)], "one successor");
    }
    assert_eq!(service.app.issuer().jwks(service.app.now()).keys.len(), 2);
    service.advance(PUBLISH_S);
    let over = due + MAX_GRANT_S + CLOCK_SKEW_S;
    assert_eq!(states(&service), [KeyState::Published(over), KeyState::Signs]);
    service.advance(over - due + DAY - 1);
    assert_eq!(states(&service), [KeyState::Over, KeyState::Signs]);
    service.advance(1);
    assert_eq!(states(&service), [KeyState::Signs]);
    // And so on.
    service.advance(90 * DAY);
    assert_eq!(states(&service).len(), 2);
}

/// A service that was off for longer than a key signs publishes the successor all the same before it signs.
#[tokio::test]
async fn a_late_successor_is_published_first() {
    let service = service("rotate_every = \"2days\"").await;
    service.advance(30 * DAY);
    let from = service.app.now().seconds() + PUBLISH_S;
    assert_eq!(states(&service), [KeyState::Signs, KeyState::Waits(from)]);
}

#[tokio::test]
async fn without_a_schedule_and_by_a_clock_that_is_not_believed_nothing_is_made() {
    let without = service("").await;
    without.advance(1000 * DAY);
    assert_eq!(states(&without), [KeyState::Signs]);
    let service = service("rotate_every = \"2days\"").await;
    service.step(30 * DAY);
    service.tick().await;
    assert_eq!(states(&service), [KeyState::Signs]);
}

#[tokio::test]
async fn where_the_directory_cannot_be_written_that_is_an_error_and_the_key_signs_on() {
    let service = service("rotate_every = \"2days\"").await;
    service.advance(3 * DAY);
    let keys = service.directory.path().join("keys");
    let before = files(&keys);
    let mounted = Mounted::read_only(&keys);
    let error = key_schedule::step(&service.app, &service.app.issuer().default_ring())
        .unwrap_err()
        .to_string();
    assert!(error.contains("Read-only"), "{error}");
    drop(mounted);
    assert_eq!(files(&keys), before);
    assert_eq!(states(&service).len(), 2);
}
