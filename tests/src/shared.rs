//! An Envoy that several tests use at once: each has a listener, clusters and VMs of its own there.
//!
//! Nearly all that the start of an Envoy costs is compiling the filter, and V8 does that once in a process. Counters, log
//! and admin interface are the process's: a test that reads them starts an Envoy alone.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bootstrap::{Settings, VM_ID};
use crate::envoy_process::{PANICS, Process};
use crate::stats::Stats;
use crate::wait::until;

/// How many tests one has at most: what they leave behind adds up.
const MOST: u32 = 40;

/// The one that takes more tests.
static OPEN: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

/// A running Envoy. It ends with the last test that uses it.
pub(crate) struct Shared {
    process: Process,
    directory: TempDir,
    contents: Mutex<Contents>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.process.end(&PANICS);
        }
    }
}

/// What it is configured with.
#[derive(Default)]
struct Contents {
    tests: u32,
    clusters: Vec<Value>,
    listeners: Vec<Value>,
}

/// A test's own part of it.
pub(crate) struct Part {
    envoy: Arc<Shared>,
    name: String,
    address: SocketAddr,
}

impl Part {
    /// Adds the listener of these settings, and the clusters that it needs.
    ///
    /// # Panics
    /// When Envoy does not take them.
    pub(crate) fn start(settings: &Settings, directory: &Path) -> Part {
        let (envoy, number) = Shared::open();
        let name = envoy.add(settings, directory, number);
        let address = until("Envoy to take a listener", || {
            envoy.process.check();
            envoy.process.listener(Some(&name))
        });
        Part { envoy, name, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn log(&self) -> String {
        self.envoy.process.log()
    }

    pub(crate) fn print_log(&self) {
        self.envoy.process.print_log();
    }

    /// How many VMs of the process were reloaded after a failure: none, whichever test they belong to.
    pub(crate) fn vm_reloads(&self) -> u64 {
        let page = self.envoy.process.admin("/stats");
        Stats::parse(&String::from_utf8_lossy(&page.body)).vm_reloads()
    }

    /// Fails when Envoy is gone.
    pub(crate) fn check(&self) {
        self.envoy.process.check();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.envoy.remove(&self.name);
    }
}

impl Shared {
    /// One that takes another test, and the test's number.
    fn open() -> (Arc<Shared>, u32) {
        let mut open = OPEN.lock().unwrap_or_else(|poisoned| {
            OPEN.clear_poison();
            poisoned.into_inner()
        });
        if let Some(envoy) = open.upgrade()
            && let Some(number) = envoy.take()
        {
            return (envoy, number);
        }
        let envoy = Arc::new(Shared::start());
        *open = Arc::downgrade(&envoy);
        let number = envoy.take().expect("it is new");
        (envoy, number)
    }

    fn start() -> Shared {
        let directory = TempDir::new().unwrap();
        let contents = Contents::default();
        contents.write_clusters(directory.path());
        contents.write_listeners(directory.path());
        let bootstrap = Settings::shared_bootstrap(directory.path()).to_string();
        fs::write(directory.path().join("envoy.json"), bootstrap).unwrap();
        let process = Process::start(directory.path(), "envoy.json", |command| {
            command.args(["--concurrency", "1"]);
            command.args(["--drain-time-s", "1", "--drain-strategy", "immediate"]);
        });
        Shared { process, directory, contents: Mutex::new(contents) }
    }

    fn take(&self) -> Option<u32> {
        let mut contents = self.contents.lock().ok()?;
        if contents.tests >= MOST || !self.process.runs() {
            return None;
        }
        contents.tests += 1;
        Some(contents.tests)
    }

    fn add(&self, settings: &Settings, directory: &Path, number: u32) -> String {
        let name = format!("gate-{number}");
        let own = |value: &Value| -> Value {
            let text = value.to_string();
            // Also within the filter's configuration, which is text in this text.
            let text = ["upstream", "approvals", VM_ID].iter().fold(text, |text, name| {
                text.replace(&format!("\"{name}\""), &format!("\"{name}-{number}\""))
                    .replace(&format!("\\\"{name}\\\""), &format!("\\\"{name}-{number}\\\""))
            });
            serde_json::from_str(&text).unwrap()
        };
        let mut listener = own(&settings.listener(directory));
        listener["name"] = json!(name);
        let clusters: Vec<Value> = settings.clusters().iter().map(own).collect();
        let names: Vec<String> =
            clusters.iter().map(|cluster| cluster["name"].as_str().unwrap().to_owned()).collect();
        let mut contents = self.contents.lock().unwrap();
        contents.clusters.extend(clusters);
        contents.write_clusters(self.directory.path());
        // A listener whose routes lead nowhere is refused.
        until("Envoy to take clusters", || {
            self.process.check();
            let page = self.process.admin("/clusters");
            let page = String::from_utf8_lossy(&page.body).into_owned();
            names.iter().all(|name| page.contains(&format!("{name}::"))).then_some(())
        });
        contents.listeners.push(listener);
        contents.write_listeners(self.directory.path());
        name
    }

    fn remove(&self, name: &str) {
        let Ok(mut contents) = self.contents.lock() else { return };
        contents.listeners.retain(|listener| listener["name"] != name);
        contents.write_listeners(self.directory.path());
    }
}

impl Contents {
    fn write_clusters(&self, directory: &Path) {
        write(directory, "cds.json", "envoy.config.cluster.v3.Cluster", &self.clusters);
    }

    fn write_listeners(&self, directory: &Path) {
        write(directory, "lds.json", "envoy.config.listener.v3.Listener", &self.listeners);
    }
}

/// Envoy looks when a file is moved into the place of the old one, so it never sees half.
fn write(directory: &Path, name: &str, kind: &str, resources: &[Value]) {
    let typed = |resource: &Value| {
        let mut resource = resource.clone();
        resource["@type"] = json!(format!("type.googleapis.com/{kind}"));
        resource
    };
    let resources: Vec<Value> = resources.iter().map(typed).collect();
    let new = directory.join(format!("new-{name}"));
    fs::write(&new, json!({"resources": resources}).to_string()).unwrap();
    fs::rename(new, directory.join(name)).unwrap();
}
