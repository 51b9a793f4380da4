//! What known callers are refused, as the command line shows it.

use serde_json::Value;

#[test]
fn the_command_line_shows_them() {
    let server = crate::process::Server::start();
    let id = server.pending();
    assert_ne!(server.run("alice", &["approve", "--yes", &id]).code, 0);
    // Written within half a second, and read by another one then.
    let mut shown = String::new();
    crate::process::until(|| {
        shown = server.run("grace", &["audit", "attempts"]).done();
        shown.contains("self_approval")
    });
    let line = shown.lines().find(|line| line.contains("self_approval")).unwrap();
    assert!(line.contains("refused  alice  127.0.0.1  POST /v1/requests/{id}/approve"), "{line}");
    assert!(line.contains(&id), "{line}");
    let all = server.run("grace", &["audit", "attempts", "--json"]).json();
    let reason = |row: &Value| row["reason"] == "self_approval" && row["object"] == id.as_str();
    assert!(all["attempts"].as_array().unwrap().iter().any(reason), "{all}");
    assert!(server.log().contains("self_approval"), "{}", server.log());
    assert_eq!(server.run("alice", &["audit", "attempts"]).code, 2);
}
