//! A running OpenTelemetry collector, and what it decoded.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, thread};

use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What its authenticator lets in.
pub(crate) const TOKEN: &str = "c0llect0r-t0ken";

/// What becomes of what it has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipeline {
    Writes,
    RefusesForNow,
    RefusesForGood,
}

/// A running collector. Dropping it ends it.
pub(crate) struct Collector {
    child: Child,
    directory: TempDir,
}

impl Collector {
    /// Starts one that listens for OTLP over HTTP at this port.
    pub(crate) fn start(port: u16, pipeline: Pipeline) -> Collector {
        let directory = TempDir::new().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let refuse = match pipeline {
            Pipeline::Writes => "",
            Pipeline::RefusesForNow => "for now",
            Pipeline::RefusesForGood => "for good",
        };
        let http = json!({"endpoint": address.to_string(), "auth": {"authenticator": "token"}});
        let configuration = json!({
            "extensions": {"token": {"authorization": format!("Bearer {TOKEN}")}},
            "receivers": {"otlp": {"protocols": {"http": http}}},
            "exporters": {"lines": {"refuse": refuse}},
            "service": {
                "extensions": ["token"],
                "pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["lines"]}},
            },
        });
        // YAML is a superset of JSON.
        fs::write(directory.path().join("config.yaml"), configuration.to_string()).unwrap();
        let file = |name: &str| File::create(directory.path().join(name)).unwrap();
        let child = Command::new(program())
            .args(["--config", "file:config.yaml"])
            .current_dir(directory.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(file("lines"))
            .stderr(file("log"))
            .spawn()
            .unwrap();
        let mut collector = Collector { child, directory };
        until("the collector", || {
            let ended = collector.child.try_wait().unwrap();
            assert!(ended.is_none(), "the collector ended with {ended:?}");
            TcpStream::connect(address).ok()
        });
        collector
    }

    /// The log records that it has decoded, in their order.
    pub(crate) fn records(&self) -> Vec<Record> {
        let lines = fs::read_to_string(self.directory.path().join("lines")).unwrap();
        // The last line may not be whole yet.
        let whole = lines.rfind('\n').map_or("", |end| &lines[..end]);
        whole.lines().flat_map(|line| Record::all(&serde_json::from_str(line).unwrap())).collect()
    }

    /// Waits until it has decoded so many.
    pub(crate) fn until_decoded(&self, count: usize) -> Vec<Record> {
        until(&format!("{count} log records"), || {
            let records = self.records();
            (records.len() >= count).then_some(records)
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            println!("--- the collector's log ---\n{log}");
        }
    }
}

/// What `scripts/platforms collector` built.
fn program() -> PathBuf {
    let program = env::var_os("BREAKGLASS_COLLECTOR").map(PathBuf::from);
    program.filter(|path| path.is_file()).expect("a collector: run scripts/platforms collector")
}

/// A log record, as the collector understood it, with the resource and the scope that it came with.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    record: Value,
    resource: Value,
    pub(crate) scope: Value,
}

impl Record {
    fn all(request: &Value) -> Vec<Record> {
        let mut records = Vec::new();
        for resource in list(&request["resourceLogs"]) {
            for scope in list(&resource["scopeLogs"]) {
                records.extend(list(&scope["logRecords"]).iter().map(|record| Record {
                    record: record.clone(),
                    resource: resource["resource"].clone(),
                    scope: scope["scope"]["name"].clone(),
                }));
            }
        }
        records
    }

    /// A member of the record itself.
    pub(crate) fn member(&self, name: &str) -> &Value {
        &self.record[name]
    }

    /// The text of the body.
    pub(crate) fn body(&self) -> &str {
        self.record["body"]["stringValue"].as_str().unwrap()
    }

    /// The text of an attribute; there is one of that name.
    pub(crate) fn attribute(&self, name: &str) -> &str {
        text(&self.record["attributes"], name)
    }

    /// The text of an attribute of the resource.
    pub(crate) fn resource(&self, name: &str) -> &str {
        text(&self.resource["attributes"], name)
    }
}

fn text<'v>(attributes: &'v Value, name: &str) -> &'v str {
    let mut found = list(attributes).iter().filter(|attribute| attribute["key"] == name);
    let (first, second) = (found.next(), found.next());
    assert!(first.is_some() && second.is_none(), "one {name} in {attributes}");
    first.unwrap()["value"]["stringValue"].as_str().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
