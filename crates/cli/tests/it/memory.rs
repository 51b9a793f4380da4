//! What is secret in the memory of the service stays there.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;

use rustix::process::geteuid;

use crate::process::{breakglass, until};
use breakglass_testing::service::config;

/// A user that is not root, so that the owner of `/proc/PID/environ` tells: of a process that may not be dumped it is root.
const NOBODY: u32 = 65534;

#[test]
fn the_service_leaves_no_core_and_lets_nobody_attach() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    fs::write(&file, config(&directory)).unwrap();
    let ready = directory.path().join("ready");
    let mut command = breakglass();
    command.args(["serve", "--config"]).arg(&file).arg("--ready-file").arg(&ready);
    let root = geteuid().is_root();
    if root {
        // The binary may be where only root comes.
        let binary = directory.path().join("breakglass");
        fs::copy(env!("CARGO_BIN_EXE_breakglass"), &binary).unwrap();
        let mut other = std::process::Command::new(&binary);
        other.args(command.get_args()).uid(NOBODY).gid(NOBODY);
        command = other;
        for path in [directory.path(), &file, &binary] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let process = format!("/proc/{}", child.id());
    until(|| ready.exists());
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let owner = fs::metadata(format!("{process}/environ")).unwrap().uid();
    child.kill().unwrap();
    child.wait().unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{line}");
    let user = if root { NOBODY } else { geteuid().as_raw() };
    assert!(status.contains(&format!("Uid:\t{user}\t")), "{status}");
    assert_eq!(owner, 0, "the process may be dumped, and its memory be read by its user");
}
