//! The rules in CEL of the CRDs (`x-kubernetes-validations`) hold for the objects in `envoy/`: the API
//! server refuses what breaks one.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, Env, extensions};
use serde_json::{Value, json};

use crate::manifests::{all, schema, schemas};

/// CEL as the API server has it, as far as the rules here use it.
fn environment() -> Arc<Env> {
    let mut environment = Env::stdlib();
    environment.add_extension(extensions::strings).unwrap();
    Arc::new(environment)
}

/// Kubernetes' own functions, for the addresses that occur here.
fn context(environment: &Arc<Env>, itself: &Value) -> Context<'static, 'static> {
    fn scheme(url: &str) -> Option<&str> {
        url.split_once("://").map(|(scheme, _)| scheme)
    }
    let mut context = Context::with_env(Arc::clone(environment));
    context.add_function("isURL", |url: Arc<String>| scheme(&url).is_some()).unwrap();
    context.add_function("url", |url: Arc<String>| (*url).clone()).unwrap();
    let get_scheme = |This(url): This<Arc<String>>| scheme(&url).unwrap().to_owned();
    context.add_function("getScheme", get_scheme).unwrap();
    context.add_variable("self", itself).unwrap();
    context
}

#[derive(Default)]
struct Judged {
    /// The rules that were evaluated.
    rules: BTreeSet<String>,
    /// The rules that do not hold: where, and what they say.
    broken: Vec<String>,
}

/// Evaluates the rules of the schema for the value, and for whatever is in it.
fn judge(
    environment: &Arc<Env>,
    place: &str,
    schema: &Value,
    value: &mut Value,
    judged: &mut Judged,
) {
    // As the API server does before it asks any rule.
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        if let (Some(members), Some(default)) = (value.as_object_mut(), below.get("default")) {
            members.entry(name).or_insert_with(|| default.clone());
        }
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let text = rule["rule"].as_str().unwrap();
        assert!(!text.contains("oldSelf"), "`{text}` is about a change: there is none here");
        let program = environment.compile(text).unwrap();
        judged.rules.insert(text.to_owned());
        match program.execute(&context(environment, value)) {
            Ok(cel::Value::Bool(true)) => {}
            found => judged.broken.push(format!("{place}: `{text}`: {found:?}")),
        }
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let below =
                    schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
                judge(environment, &format!("{place}/{name}"), below, value, judged);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter_mut().enumerate() {
                judge(environment, &format!("{place}/{index}"), &schema["items"], value, judged);
            }
        }
        _ => {}
    }
}

fn judged(object: &Value) -> Judged {
    let mut judged = Judged::default();
    let schema = schema(object).unwrap_or_else(|| panic!("no schema for {}", object["kind"]));
    judge(&environment(), "", &schema, &mut object.clone(), &mut judged);
    judged
}

/// Every rule in a schema, whether an object here meets it or not.
fn rules(schema: &Value) -> Vec<&str> {
    match schema {
        Value::Object(members) => {
            let here = members.get("x-kubernetes-validations").and_then(Value::as_array);
            let here = here.into_iter().flatten().map(|rule| rule["rule"].as_str().unwrap());
            here.chain(members.values().flat_map(rules)).collect()
        }
        Value::Array(items) => items.iter().flat_map(rules).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_rule_that_an_object_meets_holds() {
    let mut met = BTreeSet::new();
    for (file, object) in all() {
        if schema(&object).is_some() {
            let judged = judged(&object);
            assert_eq!(judged.broken, Vec::<String>::new(), "{}", file.display());
            met.extend(judged.rules);
        }
    }
    println!("{} rules are met", met.len());
    assert!(met.len() >= 20, "{met:#?}");
}

#[test]
fn every_rule_can_be_read_and_none_is_about_a_change() {
    let environment = environment();
    let schemas = schemas();
    let rules: BTreeSet<&str> = schemas.iter().flat_map(rules).collect();
    for rule in &rules {
        environment.compile(rule).unwrap_or_else(|error| panic!("`{rule}`: {error}"));
        assert!(!rule.contains("oldSelf"), "`{rule}`");
    }
    assert!(rules.len() >= 70, "{}", rules.len());
}

/// The first object of a kind.
fn object(kind: &str) -> Value {
    all().into_iter().find(|(_, object)| object["kind"] == kind).unwrap().1
}

#[test]
fn what_breaks_a_rule_is_found() {
    let gateway = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "any"}]);
    let service = json!([{"group": "", "kind": "Service", "name": "any"}]);
    for (kind, place, member, value, rule) in [
        ("EnvoyFilter", "/spec", "targetRefs", gateway.clone(), "has(self.workloadSelector)"),
        ("EnvoyFilter", "/spec/workloadSelector/labels", "app", json!("*"), "contains(\"*\")"),
        ("EnvoyFilter", "/spec/configPatches/0/match", "waypoint", json!({}), "WAYPOINT"),
        ("AuthorizationPolicy", "/spec", "targetRefs", gateway.clone(), "has(self.selector)"),
        ("AuthorizationPolicy", "/spec/selector/matchLabels", "", json!("any"), "key.size() != 0"),
        ("TrafficExtension", "/spec", "lua", json!({}), "has(self.wasm) != has(self.lua)"),
        ("TrafficExtension", "/spec/wasm", "url", json!("ftp://registry.internal"), "getScheme"),
        ("WasmPlugin", "/spec/vmConfig/env/0", "value", json!("secret"), "HOST"),
        ("WasmPlugin", "/spec", "targetRefs", gateway.clone(), "has(self.selector)"),
        ("ServiceEntry", "/spec/hosts", "0", json!("*"), "self != \"*\""),
        ("ServiceEntry", "/spec/ports/0", "number", json!(65_536), "65535"),
        (
            "DestinationRule",
            "/spec/trafficPolicy/connectionPool/tcp",
            "connectTimeout",
            json!("1us"),
            "duration('1ms')",
        ),
        ("EnvoyExtensionPolicy", "/spec", "targetRef", gateway[0].clone(), "has(self.targetRefs)"),
        ("EnvoyExtensionPolicy", "/spec", "targetRefs", service, "gateway.networking.k8s.io"),
        ("EnvoyExtensionPolicy", "/spec/wasm/0/code", "type", json!("HTTP"), "'HTTP'"),
        ("ClientTrafficPolicy", "/spec", "targetRef", gateway[0].clone(), "has(self.targetRefs)"),
        ("ClientTrafficPolicy", "/spec/targetRefs/0", "kind", json!("HTTPRoute"), "'Gateway'"),
        ("EnvoyProxy", "/spec/filterOrder/0", "after", json!("envoy.filters.http.cors"), "before"),
        ("EnvoyProxy", "/spec/bootstrap", "jsonPatches", json!([]), "jsonPatches.size() > 0"),
        (
            "EnvoyProxy",
            "/spec/telemetry/accessLog/settings/0/format",
            "type",
            json!("Text"),
            "'Text'",
        ),
    ] {
        let mut object = object(kind);
        assert_eq!(judged(&object).broken, Vec::<String>::new(), "{kind}");
        match object.pointer_mut(place).unwrap() {
            Value::Array(items) => items[member.parse::<usize>().unwrap()] = value,
            place => place[member] = value,
        }
        let broken = judged(&object).broken;
        assert!(
            broken.iter().any(|found| found.contains(rule)),
            "{kind} {place} {rule}: {broken:?}"
        );
    }
}
