//! Istio's own discovery server (`../control-plane`), which proxies connect to, and the objects that it has.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use breakglass_tests::artefacts::root;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::namespaces::HERE;

/// Its port for plain gRPC.
pub(crate) const PORT: u16 = 15010;

/// A running discovery server. Dropping it kills it.
pub(crate) struct ControlPlane {
    child: Child,
    printed: BufReader<ChildStdout>,
    directory: TempDir,
    kubernetes: Vec<Value>,
    /// Istio's objects, in the order in which they were applied.
    istio: Vec<Value>,
}

/// A program or a file that `scripts/platforms istio` makes.
pub(crate) fn made(name: &str) -> PathBuf {
    let path = root().join(".cache/platforms/istio").join(name);
    assert!(path.is_file(), "{} is missing: run scripts/platforms istio", path.display());
    path
}

/// What an Envoy that is not Istio's own takes: without the filters that only Istio's has.
pub(crate) fn for_a_plain_envoy(command: &mut Command) {
    command.env("PILOT_ENABLE_METADATA_EXCHANGE", "false").env("PILOT_ENABLE_ALPN_FILTER", "false");
}

/// The mesh's configuration: a log like that of most meshes, and no metrics of Istio's own filter.
pub(crate) fn mesh() -> Value {
    json!({"accessLogFile": "/dev/stdout", "trustDomain": "cluster.local",
        "defaultProviders": {"metrics": []}})
}

impl ControlPlane {
    /// Starts one with the objects of Kubernetes, which do not change, and those of Istio.
    pub(crate) fn start(kubernetes: Vec<Value>, istio: Vec<Value>, ambient: bool) -> ControlPlane {
        let directory = TempDir::new().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let scenario = directory.path().join("scenario.json");
        fs::write(&scenario, scenario_of(&kubernetes, &istio).to_string()).unwrap();
        let mut command = Command::new(made("control-plane"));
        for_a_plain_envoy(&mut command);
        // Memory for the processor's time: it does not run for long.
        command.env("GOGC", "400");
        command.env("PILOT_ENABLE_AMBIENT", ambient.to_string());
        command.arg("listen").arg(format!("{HERE}:{PORT}")).arg(&scenario);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let printed = BufReader::new(child.stdout.take().unwrap());
        let mut started = ControlPlane { child, printed, directory, kubernetes, istio };
        started.says("listening");
        started
    }

    /// Creates or replaces objects, in one step, as `kubectl apply` does.
    pub(crate) fn apply(&mut self, objects: &[Value]) {
        for object in objects {
            match self.istio.iter_mut().find(|known| key(known) == key(object)) {
                Some(known) => *known = object.clone(),
                None => self.istio.push(object.clone()),
            }
        }
        self.reload();
    }

    /// Deletes objects: those that these are, by kind, namespace and name.
    pub(crate) fn delete(&mut self, objects: &[Value]) {
        for object in objects {
            let before = self.istio.len();
            self.istio.retain(|known| key(known) != key(object));
            assert!(self.istio.len() < before, "there is no {}", key(object));
        }
        self.reload();
    }

    fn reload(&mut self) {
        // Never half of one.
        let (new, file) = (self.path("new.json"), self.path("scenario.json"));
        fs::write(&new, scenario_of(&self.kubernetes, &self.istio).to_string()).unwrap();
        fs::rename(new, file).unwrap();
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(process, Signal::HUP).unwrap();
        self.says("reloaded");
    }

    fn says(&mut self, beginning: &str) {
        let mut line = String::new();
        self.printed.read_line(&mut line).unwrap();
        let log = fs::read_to_string(self.path("log")).unwrap();
        assert!(line.starts_with(beginning), "expected `{beginning}`, got `{line}`:\n{log}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scenario_of(kubernetes: &[Value], istio: &[Value]) -> Value {
    json!({"mesh": mesh(), "kubernetes": kubernetes, "istio": istio, "proxies": []})
}

/// What an object is known by.
pub(crate) fn key(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, metadata) = (text(&object["kind"]), &object["metadata"]);
    format!("{kind} {}/{}", text(&metadata["namespace"]), text(&metadata["name"]))
}
