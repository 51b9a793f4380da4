//! What is taken from Envoy Gateway's own source: the schemas in `tests/fixtures/schemas`, and the namespace of its
//! proxies, which the standalone server has no use for.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

use breakglass_tests::artefacts::root;
use breakglass_tests::manifests::read;
use serde_json::Value;

fn source(path: &str) -> String {
    let module =
        env::var_os("BREAKGLASS_GATEWAY_SOURCE").expect("set by scripts/platforms gateway");
    fs::read_to_string(PathBuf::from(module).join(path)).unwrap()
}

/// The schema of a kind in the chart of the CRDs.
fn published(plural: &str) -> Value {
    let path =
        format!("charts/gateway-crds-helm/templates/generated/gateway.envoyproxy.io_{plural}.yaml");
    // Around the object there are lines of the chart's language.
    let text: String = source(&path)
        .lines()
        .filter(|line| !line.trim_start().starts_with("{{"))
        .map(|line| format!("{line}\n"))
        .collect();
    read(&text).unwrap()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
}

fn rules(schema: &Value) -> BTreeSet<String> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    rules.map(|rule| rule["rule"].as_str().unwrap().trim().to_owned()).collect()
}

/// What is in the fixture is in the published schema, with the same values and rules.
fn assert_same(place: &str, fixture: &Value, published: &Value) {
    for (name, below) in fixture["properties"].as_object().into_iter().flatten() {
        if !["apiVersion", "kind", "metadata"].contains(&&**name) {
            let there = &published["properties"][name];
            assert!(there.is_object(), "{place}/{name} is gone");
            assert_same(&format!("{place}/{name}"), below, there);
        }
    }
    if fixture["items"].is_object() {
        assert_same(&format!("{place}/[]"), &fixture["items"], &published["items"]);
    }
    // Of what is excerpted, those about the fields that are there.
    let invented: Vec<_> = rules(fixture).difference(&rules(published)).cloned().collect();
    assert!(invented.is_empty(), "{place}: {invented:?}");
    for member in ["enum", "required", "pattern", "type", "minItems", "maxItems"] {
        if let Some(value) = fixture.get(member) {
            assert_eq!(Some(value), published.get(member), "{place} {member}");
        }
    }
}

#[test]
fn the_schemas_in_the_fixtures_are_those_of_this_envoy_gateway() {
    for (kind, plural) in [
        ("clienttrafficpolicy", "clienttrafficpolicies"),
        ("envoyextensionpolicy", "envoyextensionpolicies"),
        ("envoypatchpolicy", "envoypatchpolicies"),
        ("envoyproxy", "envoyproxies"),
    ] {
        let path = format!("tests/fixtures/schemas/envoygateway-{kind}-v1alpha1.json");
        let fixture: Value = serde_json::from_slice(&fs::read(root().join(path)).unwrap()).unwrap();
        assert_same(kind, &fixture["schema"], &published(plural));
    }
}

#[test]
fn proxies_run_in_the_controllers_namespace_unless_the_mode_says_the_gateways() {
    let text = source("internal/infrastructure/kubernetes/proxy_infra.go");
    let (_, function) = text.split_once("func (i *Infra) GetResourceNamespace(").unwrap();
    let (function, _) = function.split_once("\n}").unwrap();
    let words: Vec<&str> = function.split_whitespace().collect();
    let words = words.join(" ");
    println!("{words}");
    assert!(words.contains("if i.EnvoyGateway.GatewayNamespaceMode() { return"), "{words}");
    assert!(words.ends_with("return i.ControllerNamespace"), "{words}");
}
