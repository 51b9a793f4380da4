//! What the filter counts and measures, as Prometheus sees it at a real Envoy: each metric by its cause, and each in the
//! table of docs/operations.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use breakglass_tests::approvals::{FEED, Reply};
use breakglass_tests::artefacts::root;
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::tokens::now;
use breakglass_tests::wait::until;
use serde_json::json;

use crate::trail;

/// A row of the table.
pub(crate) struct Documented {
    pub(crate) is_filters: bool,
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
}

/// The table, by the name of the metric.
pub(crate) fn documented() -> BTreeMap<String, Documented> {
    let text = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| filter |") || line.starts_with("| service |"));
    let row = |row: &str| {
        let cells: Vec<_> = row.split(" | ").collect();
        let quoted =
            |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let names = quoted(cells[1]);
        let kind = cells[2].to_owned();
        // The values that they can have stand beside them.
        let labels = quoted(cells[3]).into_iter().filter(|label| label.starts_with("breakglass_"));
        let labels = labels.collect();
        (names[0].clone(), Documented { is_filters: row.starts_with("| filter"), kind, labels })
    };
    rows.map(row).collect()
}

/// A gate that asks for keys, follows the feed, and reports heads, alerts and its configuration.
fn plan() -> Plan {
    let at = |path: &str| json!({"cluster": "approvals", "authority": "approvals.internal", "path": path});
    let news = json!({"epoch": 0, "revoked": [], "reset": true, "feed": "f"});
    let taken = json!({"accepted": 1, "dropped": 0});
    Plan::standard()
        .remote_keys_only("300s")
        .set("/revocation/feed", at(FEED))
        .approvals(FEED, Reply::json(&news))
        .set("/audit", trail::audit())
        .approvals("/v1/audit/heads", Reply::json(&taken))
        .set("/alerts", at("/v1/alerts"))
        .approvals("/v1/alerts", Reply::json(&taken))
}

fn page(gate: &Gate) -> String {
    String::from_utf8_lossy(&gate.envoy.admin("/stats/prometheus").body).into_owned()
}

/// The value of a line, once it is there.
fn value(page: &str, line: &str) -> Option<f64> {
    page.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.parse().ok())
}

fn until_value(gate: &Gate, line: &str, is: impl Fn(f64) -> bool) -> f64 {
    until(line, || value(&page(gate), line).filter(|found| is(*found)))
}

fn calls(purpose: &str) -> String {
    format!("breakglass_callout_ms_count{{breakglass_purpose=\"{purpose}\"}}")
}

#[test]
fn each_is_produced_by_its_cause_and_is_in_the_table() {
    let gate = plan().alone().start();
    gate.approvals.wants_configurations();
    until("the keys", || {
        (gate.send(&get("/v1/orders").token(gate.mint().sign())).status == 200).then_some(())
    });
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");
    let stream = Live::begin(Kind::Download, gate.envoy.address(), &gate.mint().sign());
    until_value(&gate, "breakglass_live_streams{}", |live| (0.5..1.5).contains(&live));
    let permits = r#"breakglass_scope_decision{breakglass_decision="allow",breakglass_scope="orders%3Aread"}"#;
    until_value(&gate, permits, |permits| permits >= 2.0);
    for (name, result) in [
        ("jwks", "ok"),
        ("feed", "ok"),
        ("heads", "ok"),
        ("alert_report", "ok"),
        ("alerts", "sent"),
        ("configuration_report", "ok"),
    ] {
        let line = format!("breakglass_{name}{{breakglass_result=\"{result}\"}}");
        until_value(&gate, &line, |count| count >= 1.0);
    }
    for purpose in ["jwks", "feed", "heads", "alert_report", "configuration_report"] {
        until_value(&gate, &calls(purpose), |count| count >= 1.0);
    }
    let since = Duration::from_secs(now()).as_secs_f64();
    let is_now = |at: f64| (at - since).abs() < 60.0;
    until_value(&gate, "breakglass_feed_fresh_timestamp_seconds{}", is_now);
    until_value(&gate, "breakglass_keys_fresh_timestamp_seconds{}", is_now);
    until_value(&gate, "breakglass_feed_max_staleness_seconds{}", |seconds| seconds >= 1.0);
    drop(stream);
    until_value(&gate, "breakglass_live_streams{}", |live| live < 0.5);
    until_value(&gate, "breakglass_alert_queue_bytes{}", |bytes| bytes < 0.5);
    assert_documented(&page(&gate));
}

#[test]
fn a_question_about_a_token_takes_its_time_and_is_measured() {
    let gate = Plan::standard().alone().start();
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    until_value(&gate, &calls("introspection"), |count| count >= 1.0);
    assert_documented(&page(&gate));
}

#[test]
fn alerts_that_wait_for_the_service_are_measured() {
    let gate = plan().approvals("/v1/alerts", Reply::status(503, "")).alone().start();
    until("the keys", || {
        (gate.send(&get("/v1/orders").token(gate.mint().sign())).status == 200).then_some(())
    });
    until_value(&gate, "breakglass_alert_queue_bytes{}", |bytes| bytes > 0.0);
}

#[test]
fn a_vm_that_crashed_is_counted_and_leaves_no_stream_behind() {
    let gate = plan().panicking().own_clock().start();
    until("the keys", || {
        (gate.send(&get("/v1/orders").token(gate.mint().sign())).status == 200).then_some(())
    });
    let _stream = Live::begin(Kind::Quiet, gate.envoy.address(), &gate.mint().sign());
    until_value(&gate, "breakglass_live_streams{}", |live| live >= 1.0);
    gate.envoy.set_clock(120);
    assert_eq!(gate.send(&get("/anything").header("x-panic-on-purpose", "request")).status, 503);
    until("another VM", || (gate.send(&get("/anything")).status == 200).then_some(()));
    until_value(&gate, r#"breakglass_chain{breakglass_result="restarted"}"#, |count| count >= 1.0);
    until_value(&gate, "breakglass_live_streams{}", |live| live < 0.5);
}

/// All that is on a page is in the table, with its type and its labels.
fn assert_documented(page: &str) {
    let table = documented();
    let ours = |line: &&str| line.starts_with("breakglass_");
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter(ours) {
        let (name, kind) = line.split_once(' ').unwrap();
        let row = table.get(name).unwrap_or_else(|| panic!("{name} is not in docs/operations.md"));
        assert!(row.is_filters && row.kind == kind, "{name}: {} is not {kind}", row.kind);
    }
    for line in page.lines().filter(ours) {
        let (name, rest) = line.split_once('{').unwrap();
        let name =
            table.keys().filter(|known| name.starts_with(*known)).max_by_key(|known| known.len());
        let row = &table[name.unwrap()];
        let labels = rest.split('}').next().unwrap().split(',').filter(|label| !label.is_empty());
        for label in labels.map(|label| label.split('=').next().unwrap()) {
            assert!(label == "le" || row.labels.contains(label), "{label} of {line}");
        }
    }
}

#[test]
fn a_test_asks_for_each_of_the_filter() {
    let files = fs::read_dir(root().join("tests/e2e")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let tests: Vec<_> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    let filters: Vec<_> = documented().into_iter().filter(|(_, row)| row.is_filters).collect();
    assert!(filters.len() > 15);
    for (name, _) in filters {
        let short = name.strip_prefix("breakglass_").unwrap();
        // Some are asked for by Envoy's name, and some in a table.
        let sought = [name.clone(), format!("{short}.result."), format!("(\"{short}\",")];
        assert!(
            tests.iter().any(|text| sought.iter().any(|name| text.contains(name))),
            "no test asks for {name}"
        );
    }
}
