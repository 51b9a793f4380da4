//! What carries the records out of Envoy: each configuration in `envoy/access-logs/`, with a real
//! receiver, brings every record as it was written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use breakglass_tests::artefacts::{envoy_version, root};
use breakglass_tests::bootstrap::Settings;
use breakglass_tests::client::get;
use breakglass_tests::collector::Collector;
use breakglass_tests::envoy::Envoy;
use breakglass_tests::gate::Gate;
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::trail;

/// One way out of Envoy, and the file at its end.
pub(crate) struct Carrier {
    /// The name of its configuration.
    name: &'static str,
    /// Where what it brings ends up: what `breakglass audit verify` reads.
    pub(crate) file: PathBuf,
    /// Its receiver, where it needs one.
    pub(crate) collector: Option<Collector>,
}

/// Those that every Envoy takes.
const OLDER: [&str; 3] = ["file", "grpc-1.36", "opentelemetry-1.36"];

/// Those that need Envoy 1.37.
const NEWER: [&str; 2] = ["grpc", "opentelemetry"];

impl Carrier {
    /// The one with this configuration, which brings records into a file of the directory.
    pub(crate) fn of(name: &'static str, directory: &Path) -> Carrier {
        let file = directory.join(format!("{name}.log"));
        let collector = (name != "file").then(|| Collector::start(&file));
        Carrier { name, file, collector }
    }

    /// Its configuration, for where this carrier's receiver is.
    fn configuration(&self) -> Value {
        let path = root().join("envoy/access-logs").join(format!("{}.yaml", self.name));
        let mut text = fs::read_to_string(path).unwrap();
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "`{from}` in envoy/access-logs/{}.yaml", self.name);
            text = text.replace(from, to);
        };
        match &self.collector {
            Some(collector) => {
                replace("port_value: 4317", &format!("port_value: {}", collector.address().port()));
                replace("audit-collector", &format!("audit-collector-{}", self.name));
            }
            None => replace("/var/log/envoy/breakglass.log", self.file.to_str().unwrap()),
        }
        serde_yaml_ng::from_str(&text).unwrap()
    }

    /// The records that it brought so far, in their order, as they were written.
    pub(crate) fn records(&self) -> Vec<String> {
        let text = fs::read(&self.file).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().flat_map(records_in).collect()
    }
}

/// The records in a line: the line itself, or its end, or texts in the JSON that it is.
fn records_in(line: &str) -> Vec<String> {
    const BEGINNING: &str = r#"{"v":1,"#;
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) if text.starts_with(BEGINNING) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(members) => members.values().for_each(|value| texts(value, found)),
            _ => {}
        }
    }
    if line.starts_with(BEGINNING) {
        // Where the disk was full, half a record may stand in front of a whole one.
        let last = line.rfind(BEGINNING).map(|at| &line[at..]);
        let whole = last.filter(|text| serde_json::from_str::<Value>(text).is_ok());
        return whole.map(str::to_owned).into_iter().collect();
    }
    let mut found = Vec::new();
    texts(&serde_json::from_str(line).unwrap_or_default(), &mut found);
    found
}

/// The generated Envoy with these carriers beside its own access log; `change` is made to each
/// carrier's configuration.
pub(crate) fn carried(
    settings: &Settings,
    carriers: &[&Carrier],
    change: impl Fn(&mut Value),
) -> Value {
    let mut bootstrap = settings.bootstrap("".as_ref());
    for carrier in carriers {
        let mut configuration = carrier.configuration();
        change(&mut configuration);
        let resources = &mut bootstrap["static_resources"];
        add(&mut resources["clusters"], &configuration["clusters"]);
        add(&mut manager(&mut bootstrap)["access_log"], &configuration["access_log"]);
    }
    bootstrap
}

pub(crate) fn manager(bootstrap: &mut Value) -> &mut Value {
    let place = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    bootstrap.pointer_mut(place).unwrap()
}

fn add(list: &mut Value, more: &Value) {
    let more = more.as_array().into_iter().flatten().cloned();
    list.as_array_mut().unwrap().extend(more);
}

/// What Envoy's own access log has of a gate's sealed records: each one's text, by its number.
pub(crate) fn sealed(gate: &Gate) -> BTreeMap<u64, String> {
    let records = gate.envoy.records();
    let audits = records.iter().filter_map(|record| record.audit());
    audits.filter_map(|audit| Some((audit.of("seq").as_u64()?, audit.text.clone()))).collect()
}

/// The number of a record; nothing if it is not sealed.
pub(crate) fn seq(record: &str) -> Option<u64> {
    serde_json::from_str::<Value>(record).unwrap()["seq"].as_u64()
}

#[test]
fn every_carrier_brings_every_record_as_it_was_written() {
    let service = Service::start();
    let directory = TempDir::new().unwrap();
    let newer = if envoy_version().starts_with("1.36.") { &[][..] } else { &NEWER };
    let carriers: Vec<Carrier> =
        OLDER.iter().chain(newer).map(|name| Carrier::of(name, directory.path())).collect();
    let gate = trail::plan(&service).start_with(|settings| {
        let mut bootstrap = carried(settings, &carriers.iter().collect::<Vec<_>>(), |_| ());
        // As docs/audit.md says, but for the time.
        let options = json!({"access_log_flush_interval": "0.3s"});
        manager(&mut bootstrap)["access_log_options"] = options;
        bootstrap.to_string()
    });
    let (_, token) = service.grant(&["orders:read"], "10m");
    until("the keys", || (gate.send(&get("/v1/orders").token(&token)).status == 200).then_some(()));
    let stream = Live::begin(Kind::Download, gate.envoy.address(), &token);
    for _ in 0..10 {
        gate.allows(&get("/v1/orders").token(&token));
        gate.refuses(&get("/v1/invoices").token(&token), 403, "out_of_scope");
        gate.refuses(&get("/v1/orders\\7").token(&token), 400, "ambiguous_path");
        gate.refuses(&get("/admin/users"), 401, "token_missing");
        gate.passes(&get("/v1/orders"));
    }
    let started = |carrier: &Carrier| {
        let of_stream = |record: &&String| record.contains(&format!("\"{}\"", stream.id));
        let records = carrier.records();
        let records: Vec<_> = records.iter().filter(of_stream).cloned().collect();
        records.into_iter().filter(|record| record.contains(r#""phase":"start""#)).count()
    };
    until("the stream's first record, three times in each, while it runs", || {
        carriers.iter().all(|carrier| started(carrier) >= 3).then_some(())
    });
    drop(stream);
    for carrier in &carriers {
        let verdict = trail::until_reported(&service, &carrier.file);
        assert_eq!(verdict["other_lines"], 0, "{}: {verdict}", carrier.name);
        let brought: BTreeMap<_, _> = carrier
            .records()
            .into_iter()
            .filter_map(|record| Some((seq(&record)?, record)))
            .collect();
        assert_eq!(brought, sealed(&gate), "{}", carrier.name);
    }
}

#[test]
fn what_envoy_1_36_does_not_take_is_named_so() {
    let directory = TempDir::new().unwrap();
    for name in NEWER.iter().chain(&OLDER) {
        let carrier = Carrier::of(name, directory.path());
        let upstream = "127.0.0.1:1".parse().unwrap();
        let settings = Settings::new(None, upstream, upstream);
        let bootstrap = carried(&settings, &[&carrier], |_| ());
        let (content, log) = Envoy::validate(&bootstrap.to_string());
        let taken = OLDER.contains(name) || !envoy_version().starts_with("1.36.");
        assert_eq!(content, taken, "{name}: {log}");
    }
}
