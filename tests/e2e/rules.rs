//! The alerts of the compose stack and of Kubernetes, and the queries of the dashboard, by Prometheus' own tool.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use breakglass_tests::artefacts::{promtool, root};
use breakglass_tests::manifests::objects;
use serde_json::{Value, json};

use crate::observability::queries;

const RULES: &str = "envoy/compose/rules.yaml";
const TESTS: &str = "tests/fixtures/rules_test.yaml";

fn alerts() -> BTreeSet<String> {
    let rules = objects(RULES).remove(0);
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

fn run(arguments: &[&str], file: &Path) {
    let ran = Command::new(promtool()).args(arguments).arg(file).output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn each_alert_fires_by_its_cause_and_not_without_it() {
    run(&["check", "rules"], &root().join(RULES));
    run(&["test", "rules"], &root().join(TESTS));
    let tests = objects(TESTS).remove(0);
    let (mut silent, mut firing) = (BTreeSet::new(), BTreeSet::new());
    for test in tests["tests"].as_array().unwrap() {
        for asked in test["promql_expr_test"].as_array().unwrap() {
            let alert = asked["expr"].as_str().unwrap().split('"').nth(1).unwrap().to_owned();
            let is_silent = asked["exp_samples"].as_array().unwrap().is_empty();
            let seen = if is_silent { &mut silent } else { &mut firing };
            seen.insert(alert);
        }
    }
    assert_eq!((&silent, &firing), (&alerts(), &alerts()), "each is tested both ways");
}

#[test]
fn prometheus_can_read_each_query() {
    let record = |(number, query): (usize, String)| json!({"record": format!("query_{number}"), "expr": query});
    let rules: Vec<Value> = queries().into_iter().enumerate().map(record).collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("queries.json");
    fs::write(&file, json!({"groups": [{"name": "queries", "rules": rules}]}).to_string()).unwrap();
    run(&["check", "rules"], &file);
}

#[test]
fn kubernetes_has_the_same_alerts() {
    let rule = objects("envoy/kubernetes/monitoring/prometheusrule.yaml").remove(0);
    assert_eq!(rule["spec"], objects(RULES).remove(0));
}
