//! What the compose stack's dashboard and alerts ask for is what the filter and the service count.
//! (`scripts/test-compose` asks a real Prometheus.)

use std::fs;

use breakglass_core::reason::DenyReason;
use breakglass_tests::artefacts::root;
use breakglass_tests::client::get;
use breakglass_tests::gate::Plan;
use breakglass_tests::manifests::objects;
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::Value;

/// Every query: those of the dashboard, and those of the rules.
fn queries() -> Vec<String> {
    let dashboard =
        fs::read(root().join("envoy/compose/grafana/dashboards/breakglass.json")).unwrap();
    let dashboard: Value = serde_json::from_slice(&dashboard).unwrap();
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
fn every_metric_that_is_asked_for_is_counted() {
    let service = Service::start();
    let gate = Plan::asking(&service).start();
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    let (_, token) = service.grant(&["orders:read"], "10m");
    gate.allows(&get("/v1/orders").token(token));
    let pages = until("what was counted", || {
        let filter = gate.envoy.admin("/stats/prometheus").body;
        let page = String::from_utf8_lossy(&filter).into_owned();
        let counted = ["breakglass_jwks{", "breakglass_introspection{", r#""permit"}"#];
        counted.iter().all(|name| page.contains(name)).then_some(page)
    });
    let pages = pages + &String::from_utf8_lossy(&service.get("/metrics").body);
    let counted: Vec<&str> = names(&pages).collect();
    for query in queries() {
        for name in names(&query) {
            assert!(counted.contains(&name), "{name} in `{query}`");
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
