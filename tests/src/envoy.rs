//! A real Envoy as a child process: started on free ports, watched for crashes, ended in order.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use crate::bootstrap::{Delivery, Settings};
use crate::client::Answer;
use crate::clock;
use crate::envoy_process::{PANICS, Process, command, log};
use crate::record::Record;
use crate::shared::Part;
use crate::stats::Stats;
use crate::wait::until;

/// The file of a configuration that the settings generate.
const GENERATED: &str = "envoy.json";

/// The file of a configuration that a test gives.
const GIVEN: &str = "envoy.yaml";

/// A running Envoy. Dropping it ends it and fails the test if it was not healthy to the end.
pub struct Envoy {
    home: Home,
    directory: TempDir,
    settings: Settings,
    listener: SocketAddr,
    version: u32,
}

/// Whose process it is.
enum Home {
    Alone(Process),
    Shared(Part),
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

    /// The same as [`Envoy::start`], in an Envoy that other tests use too.
    ///
    /// # Panics
    /// When it does not take the listener: the message is its log.
    #[must_use]
    pub fn share(settings: Settings, directory: TempDir) -> Envoy {
        let part = Part::start(&settings, directory.path());
        let listener = part.address();
        Envoy { home: Home::Shared(part), directory, settings, listener, version: 1 }
    }

    fn started(configuration: &str, settings: Settings, directory: TempDir) -> Envoy {
        let process = Process::start(directory.path(), configuration, |command| {
            command.args(["--concurrency", &settings.concurrency.to_string()]);
            if let Some(seconds) = settings.drain_s {
                command.args(["--drain-time-s", &seconds.to_string()]);
            }
            if settings.own_clock {
                clock::install(command, directory.path());
            }
        });
        let listener = until("Envoy's listener", || process.listener(None));
        Envoy { home: Home::Alone(process), directory, settings, listener, version: 1 }
    }

    /// The process, of which all that can be asked is this test's.
    fn process(&self) -> &Process {
        match &self.home {
            Home::Alone(process) => process,
            Home::Shared(_) => {
                panic!("this Envoy is shared: start the gate of this test `.alone()`")
            }
        }
    }

    /// Whether other tests use its process too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.home, Home::Shared(_))
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
        self.process().admin_address()
    }

    /// Its process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process().id()
    }

    /// A page of the admin interface.
    #[must_use]
    pub fn admin(&self, page: &str) -> Answer {
        self.process().admin(page)
    }

    /// All counters and gauges, now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::parse(&String::from_utf8_lossy(&self.admin("/stats").body))
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process().log()
    }

    /// How many VMs were reloaded after a failure, in this Envoy.
    #[must_use]
    pub fn vm_reloads(&self) -> u64 {
        match &self.home {
            Home::Alone(_) => self.stats().vm_reloads(),
            Home::Shared(part) => part.vm_reloads(),
        }
    }

    /// Whether a VM has failed, by what Envoy logged.
    #[must_use]
    pub fn has_failed_vms(&self) -> bool {
        let log = match &self.home {
            Home::Alone(process) => process.log(),
            // A panic of another test's VM is one too many as well.
            Home::Shared(part) => part.log(),
        };
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
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let panics: &[&str] = if self.settings.panicking { &[] } else { &PANICS };
        match &self.home {
            Home::Alone(process) if thread::panicking() => return process.print_log(),
            Home::Shared(part) if thread::panicking() => return part.print_log(),
            Home::Alone(process) => process.end(panics),
            Home::Shared(part) => part.check(),
        }
        // Another version's have fewer members.
        if self.settings.module.is_some() {
            return;
        }
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
