//! People who were removed from the configuration while the service was down.

use breakglass_testing::credentials::{hex, without};
use breakglass_testing::service::config;

use crate::process::{Server, until};

/// The real process: at its start.
#[test]
fn the_start_ends_what_people_hold_who_are_gone() {
    let mut server = Server::start();
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    assert_eq!(server.stop("TERM"), Some(0));
    let directory = std::mem::replace(&mut server.directory, tempfile::tempdir().unwrap());
    std::fs::remove_file(directory.path().join("ready")).unwrap();
    let text = without(&config(&directory), "alice");
    let server = Server::start_with(directory, &text);
    until(|| server.log().contains("holder_left"));
    let log = server.log();
    assert!(log.contains("revoked=1") && log.contains("holders=\"alice\""), "{log}");
    let view = server.run("carol", &["status", &id, "--json"]).json();
    assert_eq!(view["state"], "revoked");
    assert!(!log.contains(&hex("alice")));
}
