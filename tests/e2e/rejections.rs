//! What the alerts on refused updates ask for is what Envoy counts when it refuses one.

use std::collections::BTreeSet;

use breakglass_tests::bootstrap::Delivery;
use breakglass_tests::envoy::Envoy;
use breakglass_tests::gate::Plan;
use breakglass_tests::manifests::objects;
use breakglass_tests::wait::until;
use serde_json::Value;

/// Envoy's metrics in the queries of an alert.
fn metrics_of(alert: &str) -> BTreeSet<String> {
    let rules = objects("envoy/compose/rules.yaml").remove(0);
    let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
    let rule = rules.iter().find(|rule| rule["alert"] == alert).unwrap();
    let text = rule["expr"].as_str().unwrap();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("envoy_")).map(str::to_owned).collect()
}

/// The sum of a metric in Envoy's page for Prometheus; nothing if it is not there.
fn counted(page: &str, metric: &str) -> Option<u64> {
    let lines = page
        .lines()
        .filter(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' '])));
    let values: Vec<u64> =
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

#[test]
fn an_update_that_envoy_refuses_is_what_the_alerts_ask_for() {
    for (delivery, alert) in [
        (Delivery::Listener, "EnvoyRefusesItsListeners"),
        (Delivery::Extension, "EnvoyRefusesTheFiltersConfiguration"),
    ] {
        let metrics = metrics_of(alert);
        assert_eq!(metrics.len(), 1, "{alert}: {metrics:?}");
        let metric = metrics.first().unwrap();
        let mut gate = Plan::standard().delivered_by(delivery).start();
        gate.still_serves();
        let now = |envoy: &Envoy| {
            let page = envoy.admin("/stats/prometheus").body;
            counted(&String::from_utf8_lossy(&page), metric)
        };
        let page = gate.envoy.admin("/stats/prometheus").body;
        let page = String::from_utf8_lossy(&page).into_owned();
        let alike: Vec<&str> =
            page.lines().filter(|line| line.contains("update_rejected")).collect();
        assert_eq!(counted(&page, metric), Some(0), "{metric}: {alike:?}");
        gate.envoy.update(&Value::from("no configuration").to_string());
        until(metric, || (now(&gate.envoy) == Some(1)).then_some(()));
        // It serves on, and is ready.
        gate.still_serves();
        assert_eq!(gate.envoy.admin("/ready").status, 200);
    }
}
