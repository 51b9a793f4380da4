//! What the Envoy of a pod says of itself.

use std::net::SocketAddr;

use breakglass_tests::client::get;
use breakglass_tests::wait::until_within;
use serde_json::Value;

use super::pod::{PATIENCE, Pod};

/// Envoy's admin interface, which Istio keeps inside of the pod.
const ADMIN: u16 = 15000;

impl Pod {
    /// A page of Envoy's admin interface, as soon as Envoy runs.
    pub(crate) fn admin(&self, page: &str) -> Vec<u8> {
        let admin = SocketAddr::from(([127, 0, 0, 1], ADMIN));
        let ask = || get(page).try_send(admin).ok();
        // It makes VMs on the thread that answers.
        self.within(|| until_within(PATIENCE, "Envoy's admin interface", ask).body)
    }

    /// A counter or gauge of Envoy's, 0 where there is none.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let text = String::from_utf8(self.admin(&format!("/stats?filter=^{name}$"))).unwrap();
        let value = text.trim().rsplit(' ').next().and_then(|value| value.parse().ok());
        value.unwrap_or(0)
    }

    /// The HTTP filters of each chain of a listener that has a connection manager, as Envoy has them now.
    pub(crate) fn chains(&self) -> Vec<(String, Vec<String>)> {
        let dump: Value =
            serde_json::from_slice(&self.admin("/config_dump?resource=dynamic_listeners")).unwrap();
        let mut chains = Vec::new();
        for listener in dump["configs"].as_array().unwrap_or(&Vec::new()) {
            let listener = &listener["active_state"]["listener"];
            let name = listener["name"].as_str().unwrap_or_default();
            for chain in listener["filter_chains"].as_array().unwrap_or(&Vec::new()) {
                for filter in chain["filters"].as_array().unwrap_or(&Vec::new()) {
                    if let Some(filters) = filter["typed_config"]["http_filters"].as_array() {
                        let names = filters
                            .iter()
                            .map(|filter| filter["name"].as_str().unwrap().to_owned());
                        chains.push((name.to_owned(), names.collect()));
                    }
                }
            }
        }
        chains
    }
}
