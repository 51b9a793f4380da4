//! A real Envoy as a child process: started on free ports, watched for crashes, ended in order.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::artefacts;
use crate::bootstrap::{Delivery, Settings};
use crate::client::{Answer, get, request};
use crate::clock;
use crate::policy::PROXY_TOKEN;
use crate::record::Record;
use crate::stats::Stats;
use crate::wait::{until, until_within};

/// The file of a configuration that the settings generate.
const GENERATED: &str = "envoy.json";

/// The file of a configuration that a test gives.
const GIVEN: &str = "envoy.yaml";

/// How long a start may take: Envoy compiles the filter, which is seconds of CPU time, and others do that beside it.
const START: Duration = Duration::from_secs(60);

/// What no log of a healthy Envoy contains.
const CRASHES: [&str; 3] = ["Caught Segmentation fault", "Caught Aborted", "assert failure"];

/// What it does not contain either, unless a VM was made to panic.
const PANICS: [&str; 3] = ["panicked at", "RuntimeError", "RangeError"];

/// A running Envoy. Dropping it ends it and fails the test if it was not healthy to the end.
pub struct Envoy {
    child: Process,
    directory: TempDir,
    settings: Settings,
    admin: SocketAddr,
    listener: SocketAddr,
    version: u32,
}

/// A process that does not outlive whoever waits for it, not even one that gave up on its start.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Envoy {
    /// Starts Envoy in a directory (which may already hold certificates) and waits until it is
    /// ready.
    ///
    /// # Panics
    /// When it does not become ready: the message is its log.
    #[must_use]
    pub fn start(settings: Settings, directory: TempDir) -> Envoy {
        write_configuration(&settings, directory.path());
        Envoy::started(GENERATED, settings, directory)
    }

    /// The same, with a configuration in YAML in place of the one that the settings say.
    ///
    /// # Panics
    /// When it does not become ready: the message is its log.
    #[must_use]
    pub fn start_with(yaml: &str, settings: Settings, directory: TempDir) -> Envoy {
        fs::write(directory.path().join(GIVEN), yaml).unwrap();
        Envoy::started(GIVEN, settings, directory)
    }

    fn started(configuration: &str, settings: Settings, directory: TempDir) -> Envoy {
        let concurrency = settings.concurrency.to_string();
        let mut command = command(directory.path(), configuration);
        command.args(["--admin-address-path", "admin.txt", "--concurrency", &concurrency]);
        if let Some(seconds) = settings.drain_s {
            command.args(["--drain-time-s", &seconds.to_string()]);
        }
        if settings.own_clock {
            clock::install(&mut command, directory.path());
        }
        let mut child = Process(command.spawn().expect("Envoy runs"));
        let admin = until("Envoy's admin interface", || {
            running(&mut child.0, directory.path());
            fs::read_to_string(directory.path().join("admin.txt")).ok()?.parse().ok()
        });
        until_within(START, "Envoy to be live", || {
            running(&mut child.0, directory.path());
            get("/ready").try_send(admin).ok().filter(|answer| answer.status == 200)
        });
        let listener = until("Envoy's listener", || listener(admin));
        Envoy { child, directory, settings, admin, listener, version: 1 }
    }

    /// Starts Envoy with a configuration that it must refuse: what it logged.
    ///
    /// # Panics
    /// When it takes the configuration.
    #[must_use]
    pub fn refuses_to_start(settings: &Settings) -> String {
        let directory = TempDir::new().unwrap();
        write_configuration(settings, directory.path());
        let mut command = command(directory.path(), GENERATED);
        let status = command.args(["--mode", "validate"]).status().unwrap();
        let log = log(directory.path());
        assert!(!status.success(), "Envoy takes the configuration: {:?}", settings.filter);
        log
    }

    /// Checks a configuration file with Envoy: what it logged, and whether it is content.
    ///
    /// # Panics
    /// When Envoy cannot be run.
    #[must_use]
    pub fn validate(configuration: &str) -> (bool, String) {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join(GIVEN), configuration).unwrap();
        let mut command = command(directory.path(), GIVEN);
        let status = command.args(["--mode", "validate"]).status().unwrap();
        (status.success(), log(directory.path()))
    }

    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener
    }

    /// Where its admin interface is.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Its process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.0.id()
    }

    /// A page of the admin interface.
    #[must_use]
    pub fn admin(&self, page: &str) -> Answer {
        get(page).send(self.admin)
    }

    /// All counters and gauges, now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::parse(&String::from_utf8_lossy(&self.admin("/stats").body))
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        log(self.directory.path())
    }

    /// Whether a VM has failed, by what Envoy logged.
    #[must_use]
    pub fn has_failed_vms(&self) -> bool {
        let log = self.log();
        PANICS.iter().any(|panic| log.contains(panic))
    }

    /// The access log's record of a request, as soon as there is one.
    #[must_use]
    pub fn record(&self, request_id: &str) -> Record {
        until(&format!("the access log's record of {request_id}"), || {
            self.records().into_iter().find(|record| record.request_id() == Some(request_id))
        })
    }

    /// The access log.
    #[must_use]
    pub fn access_log(&self) -> PathBuf {
        self.directory.path().join("access.log")
    }

    /// All records so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let text = fs::read(self.directory.path().join("access.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // The last line may still be on its way.
        let complete = |line: &str| line.ends_with('\n').then(|| Record::parse(line));
        text.split_inclusive('\n').filter_map(complete).collect()
    }

    /// What is in a log of its configuration's own so far, by the log's name.
    #[must_use]
    pub fn log_file(&self, name: &str) -> String {
        let bytes = fs::read(self.directory.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Replaces the filter's configuration in a running Envoy; whether and when it takes it is
    /// for the caller to await.
    ///
    /// # Panics
    /// When the configuration is in the bootstrap, which cannot change.
    pub fn update(&mut self, filter: &str) {
        self.replace(Some(filter.to_owned()));
    }

    /// The same, in VMs of its own.
    ///
    /// # Panics
    /// When the configuration is in the bootstrap, which cannot change.
    pub fn update_vms(&mut self, filter: &str) {
        self.settings.vm += 1;
        self.update(filter);
    }

    /// Takes the filter out of a running Envoy, whose listener comes from a file.
    ///
    /// # Panics
    /// When it comes from elsewhere.
    pub fn remove_filter(&mut self) {
        assert_eq!(self.settings.delivery, Delivery::Listener, "a chain that can change");
        self.replace(None);
    }

    /// Sets Envoy's wall clock so many seconds off.
    ///
    /// # Panics
    /// When it has no clock of its own.
    pub fn set_clock(&self, seconds: i64) {
        assert!(self.settings.own_clock, "an Envoy with a clock of its own");
        clock::set(self.directory.path(), seconds);
    }

    fn replace(&mut self, filter: Option<String>) {
        self.version += 1;
        self.settings.filter = filter;
        let directory = self.directory.path();
        let (name, resource) =
            self.settings.resource(directory, self.version).expect("a delivery that can change");
        // Envoy looks when a file is moved into the place of the old one, so it never sees half.
        let new = directory.join("new.json");
        fs::write(&new, resource.to_string()).unwrap();
        fs::rename(new, directory.join(name)).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        let _ = request("POST", "/quitquitquit").send(self.admin);
        until("Envoy to end", || self.child.0.try_wait().unwrap())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(30)..].join("\n");
            println!("--- the end of Envoy's log ---\n{tail}");
            return;
        }
        let status = self.end();
        let log = self.log();
        assert!(status.success(), "Envoy ended with {status}:\n{log}");
        let panics: &[&str] = if self.settings.panicking { &[] } else { &PANICS };
        let crash = CRASHES.iter().chain(panics).find(|crash| log.contains(**crash));
        assert!(crash.is_none(), "Envoy's log says {crash:?}:\n{log}");
        // Whatever the test looked at: no record may be other than docs/ promises.
        for audit in self.records().iter().filter_map(Record::audit) {
            assert!(audit.is_complete(), "an audit record as docs/audit.md has it: {}", audit.text);
        }
    }
}

fn write_configuration(settings: &Settings, directory: &Path) {
    if let Some((name, resource)) = settings.resource(directory, 1) {
        fs::write(directory.join(name), resource.to_string()).unwrap();
    }
    let bootstrap = settings.bootstrap(directory).to_string();
    fs::write(directory.join(GENERATED), bootstrap).unwrap();
}

fn command(directory: &Path, configuration: &str) -> Command {
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

/// Fails at once, with Envoy's log, when Envoy is gone.
fn running(child: &mut Child, directory: &Path) {
    if let Some(status) = child.try_wait().unwrap() {
        panic!("Envoy ended with {status}:\n{}", log(directory));
    }
}

fn listener(admin: SocketAddr) -> Option<SocketAddr> {
    let listeners: Value = get("/listeners?format=json").send(admin).json();
    let socket = &listeners["listener_statuses"][0]["local_address"]["socket_address"];
    let (ip, port) = (socket["address"].as_str()?, socket["port_value"].as_u64()?);
    format!("{ip}:{port}").parse().ok()
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("envoy.log")
}

fn log(directory: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log_path(directory)).unwrap_or_default()).into_owned()
}
