//! What is measured: an Envoy, and any process as the kernel sees it.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use breakglass_tests::artefacts;
use breakglass_tests::client::get;
use breakglass_tests::policy::PROXY_TOKEN;
use breakglass_tests::stats::Stats;
use breakglass_tests::wait::until;
use serde_json::Value;
use tempfile::TempDir;

/// A process of which the kernel keeps account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// The CPU time that it has used so far, all threads together.
    pub(crate) fn cpu(self) -> Duration {
        // `schedstat` counts nanoseconds, where `stat` counts ticks of ten milliseconds.
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0)).unwrap();
        let nanoseconds = tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
            .sum();
        Duration::from_nanos(nanoseconds)
    }

    /// Its resident memory.
    pub(crate) fn resident_kib(self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory that it ever had.
    pub(crate) fn peak_kib(self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// A running Envoy; it ends when this is dropped.
pub(crate) struct Running {
    child: Child,
    _directory: TempDir,
    admin: SocketAddr,
    address: SocketAddr,
}

impl Running {
    pub(crate) fn start(bootstrap: &Value, workers: usize) -> Running {
        Running::start_as(bootstrap, workers, PROXY_TOKEN)
    }

    /// The same with this credential at the approval service.
    pub(crate) fn start_as(bootstrap: &Value, workers: usize, credential: &str) -> Running {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("envoy.json"), bootstrap.to_string()).unwrap();
        let log = fs::File::create(directory.path().join("envoy.log")).unwrap();
        let child = Command::new(artefacts::envoy())
            .args(["--config-path", "envoy.json", "--admin-address-path", "admin.txt"])
            .args(["--use-dynamic-base-id", "--log-level", "error"])
            .args(["--concurrency", &workers.to_string()])
            .current_dir(directory.path())
            .env("BREAKGLASS_PROXY_TOKEN", credential)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let admin: SocketAddr = until("Envoy's admin interface", || {
            fs::read_to_string(directory.path().join("admin.txt")).ok()?.parse().ok()
        });
        let address = until("Envoy's listener", || {
            let ready = get("/ready").try_send(admin).ok()?;
            let listeners = get("/listeners?format=json").try_send(admin).ok()?;
            let address = listeners.json()["listener_statuses"][0]["local_address"]
                ["socket_address"]["port_value"]
                .as_u64()?;
            let port = u16::try_from(address).ok().filter(|_| ready.status == 200)?;
            Some(SocketAddr::from(([127, 0, 0, 1], port)))
        });
        Running { child, _directory: directory, admin, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Envoy's own counters and gauges, now.
    pub(crate) fn stats(&self) -> Stats {
        Stats::parse(&String::from_utf8_lossy(&get("/stats").send(self.admin).body))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
