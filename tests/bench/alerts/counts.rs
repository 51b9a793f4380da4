//! What became of violations, by the service's list of alerts.

use std::collections::BTreeMap;

use breakglass_tests::client::get;
use breakglass_tests::service::{AUDITOR, Service};
use serde_json::Value;

/// How many of each kind the alerts that came from a proxy stand for, by their counts; what the proxy has dropped is
/// `alerts_dropped`.
pub(super) fn told(service: &Service, proxy: &str) -> BTreeMap<String, u64> {
    let mut told = BTreeMap::new();
    let mut after = Value::from(0);
    while !after.is_null() {
        let page = get(format!("/v1/audit/alerts?proxy={proxy}&after={after}"))
            .header("authorization", format!("Bearer {}", service.credential(AUDITOR)))
            .send(service.address())
            .json();
        for alert in page["alerts"].as_array().unwrap() {
            let kind = alert["type"].as_str().unwrap().trim_start_matches("breakglass.alert.");
            let count = match kind {
                "alerts_dropped" => &alert["data"]["dropped"],
                _ => &alert["count"],
            };
            *told.entry(kind.to_owned()).or_default() += count.as_u64().unwrap();
        }
        after = page["next"].clone();
    }
    told
}
