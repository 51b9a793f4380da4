//! What the compose stack's dashboard and alerts ask for is what the filter and the service count.
//! (`scripts/test-compose` asks a real Prometheus.)

use std::collections::BTreeSet;
use std::fs;

use breakglass_core::reason::DenyReason;
use breakglass_tests::artefacts::root;
use breakglass_tests::manifests::objects;
use serde_json::Value;

use crate::metrics::documented;

fn dashboard() -> Value {
    let path = root().join("envoy/compose/grafana/dashboards/breakglass.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Every query: those of the dashboard, and those of the rules.
pub(crate) fn queries() -> Vec<String> {
    let dashboard = dashboard();
    let rules = objects("envoy/compose/rules.yaml").remove(0);
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    let of_dashboard = found.len();
    expressions(&rules, &mut found);
    assert!(of_dashboard >= 8 && found.len() >= of_dashboard + 6, "{found:?}");
    found
}

fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        Value::Object(members) => {
            found.extend(members.get("expr").map(|expr| expr.as_str().unwrap().to_owned()));
            members.values().for_each(|member| expressions(member, found));
        }
        _ => {}
    }
}

/// The names of metrics and labels in a text: ours begin alike.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("breakglass_"))
}

#[test]
fn every_metric_that_is_asked_for_is_documented() {
    let table = documented();
    for query in queries() {
        for name in names(&query) {
            let of_histogram =
                ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            let is_histogram =
                |name: &str| table.get(name).is_some_and(|row| row.kind == "histogram");
            let is_label = table.values().any(|row| row.labels.contains(name));
            // What a histogram is made of is asked for, and never the histogram itself.
            let is_metric = table.get(name).is_some_and(|row| row.kind != "histogram");
            assert!(
                is_metric || is_label || of_histogram.is_some_and(is_histogram),
                "{name} in `{query}` is not in the table of docs/operations.md"
            );
        }
    }
}

#[test]
fn every_reason_that_is_asked_for_is_one() {
    let known: Vec<_> = DenyReason::ALL.iter().map(|reason| reason.code()).collect();
    for query in queries() {
        for (at, label) in query.match_indices("breakglass_reason=") {
            let value = query[at + label.len()..].split('"').nth(1).unwrap();
            for reason in value.split('|') {
                let is_permit = ["permit", "permit_unverified"].contains(&reason);
                assert!(known.contains(&reason) || is_permit, "{reason} in `{query}`");
            }
        }
    }
}

#[test]
fn the_dashboard_is_made_as_grafana_documents_it() {
    let dashboard = dashboard();
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).unwrap().to_owned();
    assert!(text(&dashboard["uid"]).len() <= 40);
    text(&dashboard["title"]);
    assert!(dashboard["schemaVersion"].is_u64() && dashboard["time"]["from"].is_string());
    let sources = provisioned("datasources/prometheus.yaml")["datasources"].take();
    let sources: Vec<_> = sources.as_array().unwrap().iter().map(reference).collect();
    let (mut ids, mut titles, mut cells) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = text(&panel["title"]);
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another's");
        assert!(titles.insert(title.clone()), "{title}: its title is another's");
        assert!(["stat", "timeseries"].contains(&&*text(&panel["type"])), "{title}");
        text(&panel["fieldConfig"]["defaults"]["unit"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|at| panel["gridPos"][at].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{title}: the grid has 24 columns");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{title}: it lies over another");
        }
        let mut letters = BTreeSet::new();
        for target in panel["targets"].as_array().unwrap() {
            assert!(letters.insert(text(&target["refId"])), "{title}: two targets have one refId");
            text(&target["expr"]);
            text(&target["legendFormat"]);
            // A target without a source asks its panel's.
            let source = target.get("datasource").unwrap_or(&panel["datasource"]);
            assert!(sources.contains(&reference(source)), "{title}: nobody provides {source}");
        }
        assert!(!letters.is_empty(), "{title}: it asks for nothing");
    }
}

/// How a panel names a source, and how a source names itself.
fn reference(source: &Value) -> (String, String) {
    let member = |name: &str| source[name].as_str().unwrap().to_owned();
    (member("type"), member("uid"))
}

fn provisioned(file: &str) -> Value {
    let mut objects = objects(format!("envoy/compose/grafana/provisioning/{file}"));
    assert_eq!((objects.len(), &objects[0]["apiVersion"]), (1, &Value::from(1)), "{file}");
    objects.remove(0)
}

#[test]
fn grafana_finds_the_dashboard_and_its_source_in_the_compose_stack() {
    let compose = objects("envoy/docker-compose.yaml").remove(0);
    let services = &compose["services"];
    let mounts = services["grafana"]["volumes"].as_array().unwrap().iter();
    let mounts: Vec<_> = mounts.map(|mount| mount.as_str().unwrap()).collect();
    let at = |source: &str, place: &str| {
        mounts.contains(&&*format!("./compose/grafana/{source}:{place}:ro"))
    };
    assert!(at("provisioning", "/etc/grafana/provisioning"), "{mounts:?}");
    let providers = provisioned("dashboards/breakglass.yaml")["providers"].take();
    for provider in providers.as_array().unwrap() {
        assert_eq!(provider["type"], "file");
        assert!(at("dashboards", provider["options"]["path"].as_str().unwrap()), "{provider}");
    }
    let sources = provisioned("datasources/prometheus.yaml")["datasources"].take();
    for source in sources.as_array().unwrap() {
        let address = source["url"].as_str().unwrap().strip_prefix("http://").unwrap();
        let (host, port) = address.split_once(':').unwrap();
        let ports = services[host]["ports"].as_array().unwrap_or_else(|| panic!("no {host}"));
        let inside = |mapped: &Value| mapped.as_str().unwrap().ends_with(&format!(":{port}"));
        assert!(ports.iter().any(inside), "{address}: {ports:?}");
    }
}
