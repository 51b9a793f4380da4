//! The process where no temporary directory can be written. Mounting takes root.

use std::process::{Command, Stdio};

use breakglass_server::clock::{Clock, SystemClock};
use breakglass_testing::grants::ten_thousand;
use breakglass_testing::service::{Service, config};

use crate::process::Server;

/// Runs the binary where no directory that SQLite would take for temporary files can be written.
const NO_TEMPORARY: &str = r#"
    mount --bind /tmp /tmp && mount --bind "$DATA" "$DATA" && mount -o remount,bind,ro /tmp &&
    mount --bind /var/tmp /var/tmp && mount -o remount,bind,ro /var/tmp &&
    cd /proc && exec "$0" "$@""#;

#[test]
fn ten_thousand_grants_are_revoked_where_no_temporary_directory_can_be_written() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let now = SystemClock.now().unwrap().seconds();
    let service = runtime.block_on(async {
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let text = config(&directory);
        let service = Service::start_with(directory, &text, now).await;
        ten_thousand(&service).await;
        service.app.store().close().await;
        service
    });
    let text = config(&service.directory);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", NO_TEMPORARY, env!("CARGO_BIN_EXE_breakglass")])
        .env("DATA", service.directory.path())
        .stdin(Stdio::null());
    let server = Server::start_by(command, service.directory, &text);
    let answer = server.run("carol", &["--json", "revoke", "--all", "--reason", "keys leaked"]);
    assert_eq!(answer.code, 0, "{answer:?} {}", server.log());
    assert_eq!(answer.json()["revoked"], 10000, "{answer:?}");
}
