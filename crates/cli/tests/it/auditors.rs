//! What auditors may list by the command line.

use crate::process::Server;

#[test]
fn status_is_for_auditors() {
    let server = Server::start();
    let id = server.pending();
    assert!(server.run("grace", &["status"]).done().starts_with(&id));
    assert!(server.run("grace", &["status", &id]).done().contains("requester alice"));
}
