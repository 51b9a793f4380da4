//! What comments and documents say of Istio beside where the filter stands: warnings, the order of policies,
//! paths, addresses, logs, and what the alternatives become.

use std::fs;

use breakglass_tests::artefacts::root;
use breakglass_tests::istio::Workload;
use breakglass_tests::manifests::read;
use serde_json::{Value, json};

use super::chains::{Chain, list, open_tcp};
use super::mesh::{Scenario, file, istio_objects};

fn sidecar_and(more: Vec<Value>) -> Scenario {
    Scenario::with([istio_objects("sidecar"), more].concat())
}

fn managers(chains: &[Chain]) -> impl Iterator<Item = &Value> {
    chains.iter().filter_map(|chain| chain.manager.as_ref())
}

/// The actions of the policies in a chain, in order.
fn actions(manager: &Value) -> Vec<&str> {
    let rules = list(&manager["http_filters"]).iter().filter_map(|filter| {
        let rules = filter["typed_config"].get("rules")?;
        // ALLOW is protobuf's default, and left out.
        filter["name"]
            .as_str()?
            .ends_with(".rbac")
            .then(|| rules["action"].as_str().unwrap_or("ALLOW"))
    });
    rules.collect()
}

#[test]
fn istio_warns_of_the_envoy_filter_and_of_no_policy() {
    for overlay in ["sidecar", "gateway", "waypoint"] {
        let warnings = Scenario::with(istio_objects(overlay)).generate().warnings();
        let about: Vec<&String> = warnings.keys().collect();
        assert_eq!(about, ["EnvoyFilter/breakglass"], "{overlay}: {warnings:?}");
    }
    // Of a policy that names no port it would, since that closes TCP.
    let mut objects = istio_objects("sidecar");
    let never = objects.iter_mut().find(|object| object["metadata"]["name"] == "never").unwrap();
    never["spec"]["rules"][0]["to"][0]["operation"].as_object_mut().unwrap().remove("notPorts");
    let warnings = Scenario::with(objects).generate().warnings();
    let warning = warnings.get("AuthorizationPolicy/never").unwrap().as_str().unwrap();
    assert!(warning.contains("TCP"), "{warning}");
}

#[test]
fn deny_is_judged_before_allow() {
    let chains = sidecar_and(Vec::new()).generate().entrances("payments");
    assert!(managers(&chains).count() > 4);
    managers(&chains).for_each(|manager| assert_eq!(actions(manager), ["DENY", "ALLOW"]));
}

/// A rule on claims is one on what RequestAuthentication left: without one there is nothing.
#[test]
fn a_rule_on_claims_asks_for_what_request_authentication_leaves() {
    let chains = sidecar_and(Vec::new()).generate().entrances("payments");
    for manager in managers(&chains) {
        let text = manager.to_string();
        assert!(text.contains(r#""filter":"envoy.filters.http.jwt_authn""#), "{text}");
        assert!(!text.contains(r#""name":"envoy.filters.http.jwt_authn""#), "{text}");
    }
}

#[test]
fn the_paths_of_the_mesh_give_way_to_those_of_the_envoy_filter() {
    for normalization in ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] {
        let mut scenario = sidecar_and(Vec::new());
        scenario.mesh["pathNormalization"] = json!({"normalization": normalization});
        // `expect` compares them.
        super::expect(&scenario.generate().entrances("payments"), &[]);
        // Without the EnvoyFilter they are the mesh's.
        scenario.istio.retain(|object| object["kind"] != "EnvoyFilter");
        let chains = scenario.generate().entrances("payments");
        let decodes = normalization == "DECODE_AND_MERGE_SLASHES";
        for manager in managers(&chains) {
            let action = manager["path_with_escaped_slashes_action"].as_str();
            assert_eq!(action == Some("UNESCAPE_AND_FORWARD"), decodes, "{normalization}");
        }
    }
}

/// So a client's own `x-forwarded-for` is the address that a sidecar judges.
#[test]
fn a_gateway_uses_the_remote_address_and_a_sidecar_does_not() {
    let sidecar = sidecar_and(Vec::new()).generate().entrances("payments");
    managers(&sidecar).for_each(|manager| assert_ne!(manager["use_remote_address"], true));
    let gateway = super::gateways::shipped().generate().entrances("ingress");
    managers(&gateway).for_each(|manager| assert_eq!(manager["use_remote_address"], true));
}

#[test]
fn the_records_are_logged_beside_the_log_of_the_mesh() {
    let chains = sidecar_and(Vec::new()).generate().entrances("payments");
    for manager in managers(&chains) {
        let logs: Vec<&Value> =
            list(&manager["access_log"]).iter().map(|log| &log["name"]).collect();
        assert_eq!(logs, ["envoy.access_loggers.file", "breakglass"]);
    }
}

/// CUSTOM authorization with a provider that speaks HTTP.
#[test]
fn the_provider_is_asked_about_no_request_under_a_permit_and_tcp_stays_open() {
    let chains = sidecar_and(file("ext-authz.yaml")).generate().entrances("payments");
    for manager in managers(&chains) {
        let asked = list(&manager["http_filters"]).iter();
        let asked: Vec<String> = asked
            .filter_map(|filter| filter["typed_config"].get("shadow_rules"))
            .map(ToString::to_string)
            .collect();
        let [rules] = &asked[..] else { panic!("{asked:?}") };
        assert!(rules.contains(r#""filter":"envoy.filters.http.breakglass""#), "{rules}");
    }
    let open = open_tcp(&chains);
    assert!(!open.is_empty() && open.iter().all(|name| name.contains("_7000")), "{open:?}");
}

/// The rules of a chain's policies, in order; ALLOW is protobuf's default, and left out.
fn rules(filters: &[Value]) -> Vec<Value> {
    let of = |filter: &Value| {
        let configuration = &filter["typed_config"];
        let rules = configuration.get("rules").or_else(|| configuration.get("shadow_rules"))?;
        let mut rules = rules.clone();
        rules.as_object_mut()?.entry("action").or_insert(json!("ALLOW"));
        filter["name"].as_str()?.ends_with(".rbac").then_some(rules)
    };
    filters.iter().filter_map(of).collect()
}

/// What the end-to-end tests take for the work of istiod (`tests/src/istio`) is its work, rule by rule.
#[test]
fn the_end_to_end_tests_translate_policies_as_istio_does() {
    for more in [Vec::new(), file("ext-authz.yaml")] {
        let objects = [istio_objects("sidecar"), more].concat();
        let workload = Workload {
            namespace: "payments",
            label: ("app", "payments"),
            context: "SIDECAR_INBOUND",
        };
        let ours = workload.configuration("127.0.0.1:1".parse().unwrap(), &objects);
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let ours = rules(list(&ours.pointer(manager).unwrap()["http_filters"]));
        let chains = Scenario::with(objects).generate().entrances("payments");
        assert!(ours.len() >= 2 && managers(&chains).count() > 4);
        for manager in managers(&chains) {
            assert_eq!(rules(list(&manager["http_filters"])), ours);
        }
    }
}

/// What istio-agent gets of the alternatives: the filter as it is shipped, and no VM id.
#[test]
fn the_alternatives_have_no_vm_id_of_their_own() {
    let plugin =
        [file("alternatives/wasmplugin.yaml"), file("alternatives/approvals.yaml")].concat();
    let plugin = plugin.into_iter().map(|mut object| {
        object["metadata"]["namespace"] = json!("payments");
        object
    });
    for objects in [istio_objects("alternatives"), plugin.collect()] {
        let extensions = Scenario::with(objects).generate().extensions("payments");
        let [extension] = &extensions[..] else { panic!("{extensions:?}") };
        let text = extension.to_string();
        assert!(text.contains("FAIL_RELOAD") && text.contains("BREAKGLASS_PROXY_TOKEN"), "{text}");
        assert!(text.contains("oci://registry.internal/breakglass-filter:0.1.0"), "{text}");
        assert!(!text.contains("vm_id"), "{text}");
    }
}

/// The fields of a client certificate in the comment of `alternatives/approvals.yaml`.
fn commented() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("envoy/istio/alternatives/approvals.yaml")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("#   "));
    let fields = lines.filter_map(|line| line.split_once(": "));
    let fields: Vec<_> = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(fields.len(), 4, "{fields:?}");
    fields
}

/// The cluster that they name verifies the service's name, and is there where a Sidecar object lets it.
#[test]
fn the_cluster_of_the_alternatives_is_there_where_a_sidecar_object_lets_it() {
    let name = "outbound|443||approvals.internal";
    let objects = istio_objects("alternatives");
    let generated = Scenario::with(objects.clone()).generate();
    let cluster = generated.cluster("payments", name).unwrap().to_string();
    assert!(cluster.contains(r#""exact":"approvals.internal""#), "{cluster}");
    assert!(cluster.contains(r#""sni":"approvals.internal""#), "{cluster}");
    // With the lines that a comment there has, it shows a certificate from files, and asks for the same name.
    let mut mutual = objects.clone();
    let rule = mutual.iter_mut().find(|object| object["kind"] == "DestinationRule").unwrap();
    for (member, value) in commented() {
        rule["spec"]["trafficPolicy"]["tls"][member] = json!(value);
    }
    let generated = Scenario::with(mutual).generate();
    let cluster = generated.cluster("payments", name).unwrap().to_string();
    for text in [
        "file-cert:/etc/breakglass-tls/tls.crt~/etc/breakglass-tls/tls.key",
        "file-root:/etc/breakglass-tls/ca.crt",
        r#""exact":"approvals.internal""#,
    ] {
        assert!(cluster.contains(text), "{text} in {cluster}");
    }
    let limited = |hosts: &str| {
        let sidecar = read(&format!(
            "apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: payments, namespace: payments}}
spec: {{workloadSelector: {{labels: {{app: payments}}}}, egress: [{{hosts: [\"{hosts}\"]}}]}}"
        ));
        let generated = Scenario::with([objects.clone(), sidecar.unwrap()].concat()).generate();
        generated.cluster("payments", name).is_some()
    };
    assert!(limited("./*"));
    assert!(!limited("istio-system/*"));
}
