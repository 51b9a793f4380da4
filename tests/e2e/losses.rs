//! What a carrier loses is reported as lost, and what it did not lose is not: a file on a full disk,
//! and a collector that is gone or does not read. Envoy's own access log, which loses nothing, says
//! what there was.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use breakglass_tests::client::get;
use breakglass_tests::collector::Collector;
use breakglass_tests::gate::Gate;
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::carriers::{Carrier, carried, sealed, seq};
use crate::trail;

/// What one carrier brings of a gate with one worker, and so of one chain.
struct Carried<'a> {
    gate: Gate,
    carrier: &'a mut Carrier,
    token: String,
}

impl Carried<'_> {
    fn collector(&mut self) -> &mut Collector {
        self.carrier.collector.as_mut().unwrap()
    }

    /// A gate with this carrier, whose worker knows the keys.
    fn start<'a>(
        service: &Service,
        carrier: &'a mut Carrier,
        change: impl Fn(&mut Value),
    ) -> Carried<'a> {
        let gate = trail::plan(service)
            .start_with(|settings| carried(settings, &[carrier], change).to_string());
        let (_, token) = service.grant(&["orders:read"], "10m");
        until("the keys", || {
            (gate.send(&get("/v1/orders").token(&token)).status == 200).then_some(())
        });
        Carried { gate, carrier, token }
    }

    /// Sends requests, and waits until Envoy has logged them.
    fn send(&self, count: usize) {
        for _ in 0..count {
            self.gate.allows(&get("/v1/orders").token(&self.token));
        }
    }

    /// Sends requests one after the other until Envoy counts something.
    fn send_until(&self, counter: &str) {
        until(counter, || {
            self.send(1);
            (self.gate.envoy.stats().of(counter) > 0).then_some(())
        });
    }

    /// The numbers of the records that it brought.
    fn brought(&self) -> BTreeSet<u64> {
        self.carrier.records().iter().filter_map(|record| seq(record)).collect()
    }

    /// Waits until it brought the record that Envoy logged last.
    fn until_brought(&self) {
        let (last, _) = sealed(&self.gate).pop_last().unwrap();
        until("the last record", || self.brought().contains(&last).then_some(()));
    }

    /// What the check says is missing is what it lost, no more and no less. How much that is.
    fn loses_what_is_reported(&self, service: &Service) -> usize {
        trail::until_reported(service, &self.gate.envoy.access_log());
        let there: BTreeSet<u64> = sealed(&self.gate).into_keys().collect();
        let lost: BTreeSet<u64> = there.difference(&self.brought()).copied().collect();
        let verdict = trail::verify(service, &self.carrier.file).json();
        let counts = |class: &str| verdict[class]["counts"].as_object().unwrap().clone();
        // Where a disk was full, half a record may be.
        let halves = usize::from(self.carrier.collector.is_none());
        assert!(counts("integrity").keys().all(|kind| kind == "damaged"), "{verdict}");
        assert!(counts("integrity").len() <= halves, "{verdict}");
        let is_loss = |kind: &String| kind == "missing" || kind == "cut_tail";
        assert!(counts("completeness").keys().all(is_loss), "{verdict}");
        let findings = verdict["completeness"]["findings"].as_array().unwrap();
        let number = |found: &Value, end: &str| found[end].as_u64().unwrap();
        let reported: BTreeSet<u64> = findings
            .iter()
            .flat_map(|found| number(found, "seq")..=number(found, "last_seq"))
            .collect();
        assert_eq!(reported, lost, "{verdict}");
        println!("lost {} of {} records: {:?}", lost.len(), there.len(), counts("completeness"));
        lost.len()
    }
}

/// A file system of its own, as small as this. Needs root.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn mount(at: &Path) -> SmallDisk<'_> {
        mount("tmpfs", at, "tmpfs", MountFlags::empty(), c"size=128k")
            .unwrap_or_else(|error| panic!("mounting a file system, which takes root: {error}"));
        SmallDisk(at)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Envoy may still have its log open.
        let _ = unmount(self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn what_a_full_disk_swallows_is_reported_as_lost_and_nothing_else() {
    let service = Service::start();
    let directory = TempDir::new().unwrap();
    let _disk = SmallDisk::mount(directory.path());
    let mut carrier = Carrier::of("file", directory.path());
    let carried = Carried::start(&service, &mut carrier, |_| ());
    let ballast = directory.path().join("ballast");
    carried.send(10);
    fs::write(&ballast, [0; 96 * 1024]).unwrap();
    carried.send_until("filesystem.write_failed");
    carried.send(10);
    fs::remove_file(ballast).unwrap();
    carried.send(10);
    carried.until_brought();
    assert!(carried.loses_what_is_reported(&service) >= 10);
}

#[test]
fn what_is_lost_while_an_access_log_service_is_gone_is_reported_as_lost_and_nothing_else() {
    while_gone("grpc-1.36");
}

#[test]
fn what_is_lost_while_an_opentelemetry_collector_is_gone_is_reported_as_lost_and_nothing_else() {
    while_gone("opentelemetry-1.36");
}

fn while_gone(name: &'static str) {
    let service = Service::start();
    let directory = TempDir::new().unwrap();
    let mut carrier = Carrier::of(name, directory.path());
    // Envoy gives up on what it cannot deliver with each flush, however long the collector is gone.
    let mut carried = Carried::start(&service, &mut carrier, |configuration| {
        *common(configuration, "buffer_flush_interval") = json!("0.1s");
    });
    carried.send(10);
    carried.until_brought();
    carried.collector().stop();
    carried.send(10);
    carried.send_until(&format!("cluster.audit-collector-{name}.upstream_cx_connect_fail"));
    carried.collector().start_again();
    until("a record to arrive again", || {
        let before = carried.brought().len();
        carried.send(1);
        (carried.brought().len() > before).then_some(())
    });
    carried.send(10);
    carried.until_brought();
    let lost = carried.loses_what_is_reported(&service);
    assert!(lost > 0);
    // A collector that does not come back: only the heads tell.
    carried.collector().stop();
    carried.send(5);
    assert_eq!(carried.loses_what_is_reported(&service), lost + 5);
}

#[test]
fn what_does_not_fit_while_the_collector_hangs_is_reported_as_lost_and_nothing_else() {
    let service = Service::start();
    let directory = TempDir::new().unwrap();
    let mut carrier = Carrier::of("grpc-1.36", directory.path());
    // The stream's window is also how much Envoy keeps for it: with the smallest that may be, and a
    // small buffer, a hundred records are too many instead of ten thousand.
    let mut carried = Carried::start(&service, &mut carrier, |configuration| {
        *common(configuration, "buffer_size_bytes") = json!(4096);
        let options = &mut configuration["clusters"][0]["typed_extension_protocol_options"];
        let options = &mut options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
        let options = &mut options["explicit_http_config"]["http2_protocol_options"];
        options["initial_stream_window_size"] = json!(65535);
    });
    carried.send(10);
    carried.until_brought();
    carried.collector().hang();
    carried.send_until("access_logs.grpc_access_log.logs_dropped");
    carried.send(10);
    carried.collector().read_on();
    until("what was kept to arrive", || {
        let before = carried.brought().len();
        carried.send(1);
        (carried.brought().len() > before).then_some(())
    });
    carried.send(10);
    carried.until_brought();
    let lost = carried.loses_what_is_reported(&service);
    let dropped = carried.gate.envoy.stats().of("access_logs.grpc_access_log.logs_dropped");
    assert_eq!(u64::try_from(lost).unwrap(), dropped);
}

/// A member of the logger's `common_config`.
fn common<'c>(configuration: &'c mut Value, member: &str) -> &'c mut Value {
    &mut configuration["access_log"][0]["typed_config"]["common_config"][member]
}
