//! One database, one service process.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::process::{Ran, Server, breakglass};
use breakglass_testing::service::config;

/// Tries to serve with this configuration, which must be refused.
fn refused(server: &Server, text: &str) -> Ran {
    let path = server.path("second.toml");
    fs::write(&path, text).unwrap();
    let mut command: Command = breakglass();
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&path);
    // If it serves it is a failure, and not one that hangs.
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let watch = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(15));
        let _ = Command::new("kill").args(["-s", "TERM", &id]).stderr(Stdio::null()).status();
    });
    let output = child.wait_with_output().unwrap();
    drop(watch);
    Ran::from(output)
}

#[test]
fn a_second_process_on_one_database_is_refused_until_the_first_is_gone() {
    let mut server = Server::start();
    let text = config(&server.directory);
    let id = server.process_id();
    let directory = server.directory.path().display().to_string();
    symlink(server.path("approvals.db"), server.path("link.db")).unwrap();
    for name in ["approvals.db", "link.db", "keys/../approvals.db"] {
        let text = text.replace(
            &format!("database = \"{directory}/approvals.db\""),
            &format!("database = \"{directory}/{name}\""),
        );
        let ran = refused(&server, &text);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        for words in [
            "approvals.db is in use by another process",
            &format!("process {id} on "),
            &format!("at {}, since 2", server.url),
            "one database is for one service process",
        ] {
            assert!(ran.stderr.contains(words), "{name}: {words}: {ran:?}");
        }
    }
    assert_eq!(server.run("erin", &["proxies"]).code, 0, "the first goes on");
    assert_eq!(server.stop("KILL"), None, "by a signal");
    let directory = std::mem::replace(&mut server.directory, tempfile::tempdir().unwrap());
    fs::remove_file(directory.path().join("ready")).unwrap();
    let again = Server::start_with(directory, &text);
    assert_eq!(again.run("erin", &["proxies"]).code, 0);
}
