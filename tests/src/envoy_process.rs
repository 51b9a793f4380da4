//! An Envoy's process: started with files in a directory, asked through its admin interface, ended in order.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::artefacts;
use crate::client::{Answer, get, request};
use crate::policy::PROXY_TOKEN;
use crate::wait::{until, until_within};

/// How long a start may take: Envoy compiles the filter, which is seconds of CPU time, and others do that beside it.
const START: Duration = Duration::from_secs(60);

/// What no log of a healthy Envoy contains.
const CRASHES: [&str; 3] = ["Caught Segmentation fault", "Caught Aborted", "assert failure"];

/// What it does not contain either, unless a VM was made to panic.
pub(crate) const PANICS: [&str; 3] = ["panicked at", "RuntimeError", "RangeError"];

/// A running Envoy. Dropping it kills it, also when its start fails.
pub(crate) struct Process {
    child: Mutex<Child>,
    directory: PathBuf,
    admin: SocketAddr,
}

impl Process {
    /// Starts Envoy with a configuration that is in the directory, and waits until it is live.
    ///
    /// # Panics
    /// When it does not become live: the message is its log.
    pub(crate) fn start(
        directory: &Path,
        configuration: &str,
        change: impl FnOnce(&mut Command),
    ) -> Process {
        let mut command = command(directory, configuration);
        command.args(["--admin-address-path", "admin.txt"]);
        change(&mut command);
        let child = Mutex::new(command.spawn().expect("Envoy runs"));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Process { child, directory: directory.to_owned(), admin: nowhere };
        process.admin = until("Envoy's admin interface", || {
            process.check();
            fs::read_to_string(directory.join("admin.txt")).ok()?.parse().ok()
        });
        until_within(START, "Envoy to be live", || {
            process.check();
            get("/ready").try_send(process.admin).ok().filter(|answer| answer.status == 200)
        });
        process
    }

    /// Whether it still runs.
    pub(crate) fn runs(&self) -> bool {
        self.status().is_none()
    }

    /// Fails at once, with Envoy's log, when Envoy is gone.
    ///
    /// # Panics
    /// Then.
    pub(crate) fn check(&self) {
        if let Some(status) = self.status() {
            panic!("Envoy ended with {status}:\n{}", self.log());
        }
    }

    fn status(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().unwrap()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// Where its admin interface is.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// A page of the admin interface.
    pub(crate) fn admin(&self, page: &str) -> Answer {
        get(page).send(self.admin)
    }

    /// Where a listener takes requests: the one of this name, or the first.
    pub(crate) fn listener(&self, name: Option<&str>) -> Option<SocketAddr> {
        let page: Value = self.admin("/listeners?format=json").json();
        let mut listeners = page["listener_statuses"].as_array()?.iter();
        let listener = listeners.find(|one| name.is_none_or(|name| one["name"] == name))?;
        let socket = &listener["local_address"]["socket_address"];
        let (ip, port) = (socket["address"].as_str()?, socket["port_value"].as_u64()?);
        format!("{ip}:{port}").parse().ok()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        log(&self.directory)
    }

    /// Prints the last lines of its log: for a test that fails.
    pub(crate) fn print_log(&self) {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(30)..].join("\n");
        println!("--- the end of Envoy's log ---\n{tail}");
    }

    /// Ends it in order.
    ///
    /// # Panics
    /// When it ends in another way, or its log says that it was not healthy: nothing of `unhealthy` may be in it.
    pub(crate) fn end(&self, unhealthy: &[&str]) {
        let _ = request("POST", "/quitquitquit").send(self.admin);
        let status = until("Envoy to end", || self.status());
        let log = self.log();
        assert!(status.success(), "Envoy ended with {status}:\n{log}");
        let crash = CRASHES.iter().chain(unhealthy).find(|crash| log.contains(**crash));
        assert!(crash.is_none(), "Envoy's log says {crash:?}:\n{log}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Envoy with a configuration that is in the directory, about to be run.
pub(crate) fn command(directory: &Path, configuration: &str) -> Command {
    let log = File::create(log_path(directory)).unwrap();
    let mut command = Command::new(artefacts::envoy());
    command.args(["--config-path", configuration, "--disable-hot-restart"]);
    command.args([
        "--file-flush-interval-msec",
        "20",
        "--log-level",
        "warning",
        "--component-log-level",
        "wasm:info",
    ]);
    command.current_dir(directory).env("BREAKGLASS_PROXY_TOKEN", PROXY_TOKEN);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command
}

/// What an Envoy in this directory logged so far.
pub(crate) fn log(directory: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log_path(directory)).unwrap_or_default()).into_owned()
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("envoy.log")
}
