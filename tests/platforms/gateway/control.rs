//! A running Envoy Gateway, with the Envoys that it runs.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use breakglass_tests::client::{Answer, Request, get};
use breakglass_tests::manifests::read;
use breakglass_tests::policy::PROXY_TOKEN;
use breakglass_tests::record::Record;
use breakglass_tests::wait::until_within;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::objects::{name, namespaces};
use crate::world::{envoy_gateway, secret, world};

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running Envoy Gateway. Dropping it ends it and its Envoys.
pub(crate) struct EnvoyGateway {
    child: Child,
    directory: TempDir,
    objects: Vec<Value>,
}

impl EnvoyGateway {
    /// Starts one with these objects; the proxies' credential is that of the tests' service.
    pub(crate) fn start(objects: Vec<Value>) -> EnvoyGateway {
        EnvoyGateway::with_credential(objects, PROXY_TOKEN)
    }

    /// The same, where the secret of the proxies is this.
    pub(crate) fn with_credential(objects: Vec<Value>, credential: &str) -> EnvoyGateway {
        let (world, directory) = (world(), TempDir::new().unwrap());
        fs::create_dir(directory.path().join("objects")).unwrap();
        let home = |name: &str| directory.path().join(name).display().to_string();
        let configuration = json!({
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyGateway",
            "gateway": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
            "provider": {"type": "Custom", "custom": {
                "resource": {"type": "File", "file": {"paths": [home("objects")]}},
                "infrastructure": {"type": "Host", "host": {
                    "configHome": world.config_home(), "dataHome": world.data_home(),
                    "stateHome": home("state"), "runtimeDir": home("run")}}}},
            "logging": {"level": {"default": "info"}},
            "extensionApis": {"enableBackend": true, "enableEnvoyPatchPolicy": true,
                "enableLua": true},
        });
        fs::write(directory.path().join("envoy-gateway.yaml"), configuration.to_string()).unwrap();
        // Envoy opens its standard output anew, to append.
        let log = directory.path().join("log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        write(directory.path(), &objects);
        let child = Command::new(envoy_gateway())
            .args(["server", "--config-path", "envoy-gateway.yaml"])
            .current_dir(directory.path())
            .env_clear()
            .env("HOME", directory.path())
            .env("PATH", "/usr/bin:/bin")
            // Memory for the processor's time: it does not run for long.
            .env("GOGC", "400")
            .env("BREAKGLASS_PROXY_TOKEN", credential)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        EnvoyGateway { child, directory, objects }
    }

    /// Applies an object, in place of the one of the same kind and name.
    pub(crate) fn apply(&mut self, object: Value) {
        self.remove(&name(&object));
        self.objects.push(object);
        write(self.directory.path(), &self.objects);
    }

    /// Deletes an object, by its kind and name.
    pub(crate) fn delete(&mut self, name: &str) {
        self.remove(name);
        write(self.directory.path(), &self.objects);
    }

    fn remove(&mut self, object: &str) {
        self.objects.retain(|one| name(one) != object);
    }

    /// What it and its Envoys wrote so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.path().join("log")).unwrap()).into_owned()
    }

    /// Waits for something that it or its Envoys do.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        until_within(PATIENCE, what, || {
            if let Some(found) = look() {
                return Some(found);
            }
            let log = self.log();
            let refused = ["panic:", "failed to reload resources", "failed to run envoy"];
            let wrong = log.lines().find(|line| refused.iter().any(|text| line.contains(text)));
            assert_eq!(wrong, None, "Envoy Gateway does not take the objects");
            None
        })
    }

    /// Sends a request to the listener on a port.
    pub(crate) fn send(&self, port: u16, request: &Request) -> Answer {
        request.send(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The status of a request to a listener that may not be there; 0 where it is not.
    pub(crate) fn status(&self, port: u16, request: &Request) -> u16 {
        let answer = request.try_send(SocketAddr::from(([127, 0, 0, 1], port)));
        answer.map_or(0, |answer| answer.status)
    }

    /// Waits until a request to a listener is answered so.
    pub(crate) fn answers(&self, port: u16, request: &Request, status: u16) {
        let what = format!("{status} from port {port} for {request:?}");
        self.until(&what, || (self.status(port, &request.renewed()) == status).then_some(()));
    }

    /// The newest status that it gave to an object, by its kind and name.
    pub(crate) fn object_status(&self, object: &str) -> Option<Value> {
        let (kind, key) = object.split_once(' ').unwrap();
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let is_it = |line: &&str| line.contains(&format!("Got new status for {kind}"));
        let mut found = None;
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| is_it(line)) {
            // The text goes on until the key of the object ends its last line.
            let mut text = String::new();
            let mut ended = "";
            for line in &lines[at + 1..] {
                if let Some(rest) = line.trim_start().strip_prefix('{') {
                    ended = rest;
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            if ended.contains(&format!("\"{key}\"")) {
                found = read(&text).ok().and_then(|mut found| found.pop()).or(found);
            }
        }
        found
    }

    /// Whether an object's newest status has a condition with this status and reason.
    pub(crate) fn has_condition(
        &self,
        object: &str,
        kind: &str,
        status: &str,
        reason: &str,
    ) -> bool {
        let found = self.object_status(object).unwrap_or_default();
        let ancestors = found["ancestors"].as_array().cloned().unwrap_or_default();
        let mut conditions = ancestors
            .iter()
            .flat_map(|ancestor| ancestor["conditions"].as_array().cloned().unwrap_or_default());
        conditions
            .any(|one| one["type"] == kind && one["status"] == status && one["reason"] == reason)
    }

    /// The admin interfaces of its Envoys.
    fn admins(&self) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        for place in ["run", "state"] {
            find(&self.directory.path().join(place), &mut found);
        }
        let address = |path: &PathBuf| fs::read_to_string(path).ok()?.trim().parse().ok();
        found.iter().filter_map(address).collect()
    }

    /// A page of the admin interface of the Envoy that has a listener of this name.
    pub(crate) fn admin(&self, listener: &str, page: &str) -> Option<Answer> {
        self.admins().into_iter().find_map(|admin| {
            let names = get("/listeners").try_send(admin).ok()?;
            let names = String::from_utf8_lossy(&names.body).into_owned();
            let has = names.lines().any(|line| line.starts_with(&format!("{listener}::")));
            has.then(|| get(page).send(admin))
        })
    }

    /// A counter of the one Envoy.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let Some(admin) = self.admins().first().copied() else { return 0 };
        let page = get(format!("/stats?filter=^{name}$")).send(admin).body;
        let text = String::from_utf8_lossy(&page).into_owned();
        text.trim().rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// The configuration of the Envoy that has a listener of this name.
    pub(crate) fn dump(&self, listener: &str) -> Value {
        let found = self
            .until(&format!("the listener {listener}"), || self.admin(listener, "/config_dump"));
        found.json()
    }

    /// The names of the HTTP filters of a listener, in order: of each of its HTTP chains.
    pub(crate) fn chains(&self, listener: &str) -> Vec<Vec<String>> {
        let dump = self.dump(listener);
        let mut found = Vec::new();
        each(&dump, &mut |value| {
            if value["name"] == listener && value["address"].is_object() {
                each(value, &mut |value| {
                    if let Some(filters) = value["http_filters"].as_array() {
                        let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
                        found.push(filters.iter().map(name).collect());
                    }
                });
            }
        });
        found
    }

    /// The lines of the access log so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        let log = self.log();
        let lines =
            log.lines().filter(|line| line.starts_with('{') && line.contains("\"request_id\""));
        lines.map(Record::parse).collect()
    }

    /// The record of a request, by the path that no other request has.
    pub(crate) fn record(&self, path: &str) -> Record {
        let is_it = |record: &Record| {
            record.audit().is_some_and(|audit| audit.text_of("path") == Some(path))
        };
        self.until(&format!("the record of {path}"), || self.records().into_iter().find(is_it))
    }

    /// Writes the access log's lines to a file, as a log collector would.
    pub(crate) fn write_access_log(&self, to: &Path) {
        let log = self.log();
        let lines =
            log.lines().filter(|line| line.starts_with('{') && line.contains("\"request_id\""));
        fs::write(to, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }
}

impl Drop for EnvoyGateway {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            println!(
                "--- the end of the log ---\n{}",
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        }
        // It ends its Envoys, and then itself.
        let admins = self.admins();
        let id = self.child.id().to_string();
        let _ = Command::new("kill").arg(id).status();
        let _ = self.child.wait();
        // The ports are the next one's.
        let is_there = |admin: &SocketAddr| TcpStream::connect(admin).is_ok();
        while admins.iter().any(is_there) {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(thread::panicking() || !self.log().contains("panicked at"), "{}", self.log());
    }
}

/// Calls for a value and for whatever is in it.
pub(crate) fn each(value: &Value, call: &mut impl FnMut(&Value)) {
    call(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(item, call)),
        Value::Object(members) => members.values().for_each(|member| each(member, call)),
        _ => {}
    }
}

fn find(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            find(&entry.path(), found);
        } else if entry.file_name() == "admin-address.txt" {
            found.push(entry.path());
        }
    }
}

/// Writes all objects where Envoy Gateway looks: moved into place, so that it never sees half.
fn write(directory: &Path, objects: &[Value]) {
    let certificates = world().certificates();
    let file = |name: &'static str| (name, fs::read(certificates.join(name)).unwrap());
    let files = ["ca.crt", "tls.crt", "tls.key"].map(file);
    let envoy = secret("envoy-gateway-system", "envoy", &files);
    let all = namespaces(objects).into_iter().chain([envoy]).chain(objects.iter().cloned());
    let text = all.map(|object| object.to_string()).collect::<Vec<_>>().join("\n---\n");
    fs::write(directory.join("new.yaml"), text).unwrap();
    fs::rename(directory.join("new.yaml"), directory.join("objects/all.yaml")).unwrap();
}
