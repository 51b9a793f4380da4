//! What Istio's own discovery server makes of the objects in `envoy/istio`, judged chain by chain: in every
//! HTTP chain of a guarded proxy breakglass comes first, or the test names the chain and says why not.
//!
//! The chains are printed: `scripts/platforms istio judged -- --nocapture`.

mod ambient;
mod chains;
mod checked;
mod claims;
mod digests;
mod gateways;
mod mesh;
mod others;
mod sidecars;

use std::collections::BTreeMap;

use chains::{Chain, Place, not_first};
use serde_json::{Value, json};

/// The filter, as the EnvoyFilter names it.
const FILTER: &str = "breakglass";

/// Where breakglass does not stand first, though the proxy is guarded: nowhere, unless it is named here.
fn expect(chains: &[Chain], exceptions: &[(&str, Place)]) {
    let found = not_first(chains, FILTER);
    let expected: BTreeMap<String, &Place> =
        exceptions.iter().map(|(name, place)| ((*name).to_owned(), place)).collect();
    let found: BTreeMap<String, &Place> =
        found.iter().map(|(name, place)| (name.clone(), place)).collect();
    assert_eq!(found, expected, "the HTTP chains in which breakglass is not the first filter");
    chains.iter().filter(|chain| chain.place(FILTER) != Place::Missing).for_each(is_whole);
}

/// Every HTTP chain is without breakglass: this proxy is not guarded.
fn expect_nowhere(chains: &[Chain]) {
    let http: Vec<&Chain> = chains.iter().filter(|chain| chain.manager.is_some()).collect();
    assert!(http.iter().all(|chain| chain.place(FILTER) == Place::Missing));
}

/// All that the EnvoyFilter adds is there: the decision for policies right after the filter and before
/// any of them, the paths, the close of cut connections, and the audit log.
fn is_whole(chain: &Chain) {
    let names = chain.http_filters();
    let at = |wanted: &str| names.iter().position(|name| name == wanted);
    let filter = at(FILTER).unwrap();
    let decision = at("breakglass-decision").unwrap();
    assert_eq!(names[filter..=decision].len(), 2, "{}: {names:?}", chain.name);
    for policy in ["envoy.filters.http.rbac", "envoy.filters.http.ext_authz"] {
        assert!(at(policy).is_none_or(|policy| policy > decision), "{}: {names:?}", chain.name);
    }
    let manager = chain.manager.as_ref().unwrap();
    for (member, value) in [
        ("normalize_path", json!(true)),
        ("merge_slashes", json!(true)),
        ("path_with_escaped_slashes_action", json!("KEEP_UNCHANGED")),
        ("delayed_close_timeout", json!("0.100s")),
    ] {
        assert_eq!(manager[member], value, "{}: {member}", chain.name);
    }
    let logs = chains::list(&manager["access_log"]);
    let ours = logs.iter().filter(|log| log["name"] == FILTER).count();
    assert_eq!(ours, 1, "{}: {:?}", chain.name, manager["access_log"]);
}

/// An object with a member changed.
fn changed(mut object: Value, pointer: &str, to: Value) -> Value {
    *object.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = to;
    object
}

fn envoy_filter(objects: &[Value]) -> usize {
    objects.iter().position(|object| object["kind"] == "EnvoyFilter").unwrap()
}
