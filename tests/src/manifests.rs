//! Kubernetes objects from the files that are shipped, and what `kubectl apply -k` makes of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::artefacts::root;
use crate::replacements;

/// The objects in a file, by its path from the root of the repository.
///
/// # Panics
/// When there is no such file, or it is not YAML.
#[must_use]
pub fn objects(path: impl AsRef<Path>) -> Vec<Value> {
    let path = root().join(path);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The objects in a text.
///
/// # Errors
/// When it is not YAML.
pub fn read(text: &str) -> Result<Vec<Value>, serde_yaml_ng::Error> {
    serde_yaml_ng::Deserializer::from_str(text).map(Deserialize::deserialize).collect()
}

/// Every file below a folder that ends in `.yaml`, by its path from the root of the repository.
///
/// # Panics
/// When there is no such folder.
#[must_use]
pub fn files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(&folder)).unwrap();
    let mut found = Vec::new();
    for entry in entries.map(|entry| entry.unwrap()) {
        let path = folder.as_ref().join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(path));
        } else if path.extension().is_some_and(|kind| kind == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The filter's configurations in an object or in an Envoy configuration, wherever they are: in a
/// Wasm filter, a WasmPlugin, a TrafficExtension or an EnvoyExtensionPolicy.
///
/// # Panics
/// When one that is text is not JSON.
#[must_use]
pub fn filters(object: &Value) -> Vec<Value> {
    let wasm = object["root_id"].is_string().then(|| match &object["configuration"]["value"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        value => value.clone(),
    });
    let istio = object.get("pluginConfig").cloned();
    let gateway = object["rootID"].is_string().then(|| object["config"].clone());
    let below: Vec<&Value> = match object {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    };
    let here = [wasm, istio, gateway].into_iter().flatten();
    here.chain(below.into_iter().flat_map(filters)).collect()
}

/// What a kustomization makes: its resources in order, in its namespace, patched. `scripts/test
/// kustomize` compares it with what kubectl makes.
///
/// Only what the shipped ones use is understood: `resources`, `namespace`, `patches` whose operations
/// (RFC 6902) replace or remove what is there or add a member, and `replacements`. Objects for
/// kustomize alone (`local-config`) are left out. The Secrets of a `secretGenerator` are not made.
///
/// # Panics
/// When it uses anything else, or a patch finds nothing to change.
#[must_use]
pub fn kustomization(folder: impl AsRef<Path>) -> Vec<Value> {
    let mut made = build(folder.as_ref());
    let local = "/metadata/annotations/config.kubernetes.io~1local-config";
    made.retain(|object| object.pointer(local).is_none());
    made
}

/// The same, with the objects for kustomize alone, which other kustomizations may use.
fn build(folder: &Path) -> Vec<Value> {
    let file = objects(folder.join("kustomization.yaml")).remove(0);
    let mut made = Vec::new();
    for (member, value) in file.as_object().unwrap() {
        match member.as_str() {
            "apiVersion" | "kind" | "namespace" | "patches" | "replacements"
            | "secretGenerator" => {}
            "resources" => made.extend(value.as_array().unwrap().iter().flat_map(|name| {
                let path = folder.join(name.as_str().unwrap());
                if root().join(&path).is_dir() { build(&path) } else { objects(path) }
            })),
            other => panic!("{}: `{other}` is not understood here", folder.display()),
        }
    }
    for patch in file["patches"].as_array().unwrap_or(&Vec::new()) {
        replace(&mut made, patch);
    }
    replacements::apply(&mut made, &file["replacements"]);
    if let Some(namespace) = file["namespace"].as_str() {
        let in_a_namespace = made.iter_mut().filter(|object| object["kind"] != "Namespace");
        in_a_namespace.for_each(|object| object["metadata"]["namespace"] = namespace.into());
    }
    made
}

fn replace(objects: &mut [Value], patch: &Value) {
    let (target, operations) = (&patch["target"], patch["patch"].as_str().unwrap());
    let operations: Vec<Value> = serde_yaml_ng::from_str(operations).unwrap();
    let is_target = |object: &&mut Value| {
        // A regular expression: here names with `|` between them.
        let named = |name: &Value| {
            let mut names = name.as_str().into_iter().flat_map(|names| names.split('|'));
            name.is_null() || names.any(|name| object["metadata"]["name"] == name)
        };
        object["kind"] == target["kind"] && named(&target["name"])
    };
    let mut found = 0;
    for object in objects.iter_mut().filter(is_target) {
        found += 1;
        for operation in &operations {
            change(object, operation);
        }
    }
    assert!(found > 0, "no object for {patch}");
}

/// One operation of RFC 6902, on a member of an object, or the removal of an item of a list.
fn change(object: &mut Value, operation: &Value) {
    let (parent, member) = operation["path"].as_str().unwrap().rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("{operation} has no place"));
    if let Value::Array(items) = parent {
        assert_eq!(operation["op"], "remove", "{operation}: not understood of a list");
        items.remove(member.parse().unwrap());
        return;
    }
    let (value, there) = (operation["value"].clone(), parent.get(member).is_some());
    match operation["op"].as_str().unwrap() {
        "add" => assert!(!there, "{operation} is there"),
        "replace" | "remove" => assert!(there, "{operation} has no place"),
        other => panic!("`{other}` is not understood here"),
    }
    if operation["op"] == "remove" {
        parent.as_object_mut().unwrap().remove(member);
    } else {
        parent[member] = value;
    }
}
