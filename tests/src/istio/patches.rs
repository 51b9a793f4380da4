//! The patches of an EnvoyFilter. Istio passes over a patch that matches nothing, in silence; here it
//! is an error.

use serde_json::Value;

use super::{MANAGER, Workload};

/// Applies an EnvoyFilter to the configuration of a workload's proxy, patch after patch.
///
/// # Errors
/// When a patch is not for this workload, does what is not understood here, or finds nothing to
/// change.
pub fn apply(
    configuration: &mut Value,
    workload: &Workload,
    envoy_filter: &Value,
) -> Result<(), String> {
    if !workload.is_selected(envoy_filter, "/spec/workloadSelector/labels") {
        return Err(format!("the EnvoyFilter is not for {workload:?}"));
    }
    let patches = envoy_filter["spec"]["configPatches"].as_array().ok_or("no patches")?;
    for (index, entry) in patches.iter().enumerate() {
        one(configuration, workload, entry).map_err(|error| format!("patch {index}: {error}"))?;
    }
    Ok(())
}

fn one(configuration: &mut Value, workload: &Workload, entry: &Value) -> Result<(), String> {
    let (matching, patch) = (&entry["match"], &entry["patch"]);
    let context = matching["context"].as_str().unwrap_or("ANY");
    if ![workload.context, "ANY"].contains(&context) {
        return Err(format!("it is for {context}, not for {}", workload.context));
    }
    let value = patch["value"].clone();
    let operation = patch["operation"].as_str().unwrap_or_default();
    let kind = entry["applyTo"].as_str().unwrap_or_default();
    match (kind, operation) {
        ("CLUSTER", "ADD") => add_cluster(&mut configuration["static_resources"], value),
        ("NETWORK_FILTER", "MERGE") => merge(manager(configuration, matching)?, value),
        // Of a listener that this proxy does not have.
        ("HTTP_FILTER", "REMOVE") if matching["listener"]["name"].is_string() => Ok(()),
        ("HTTP_FILTER", _) => {
            let filters = &mut manager(configuration, matching)?["typed_config"]["http_filters"];
            let filters = filters.as_array_mut().ok_or("no filters")?;
            let anchor = matching
                .pointer("/listener/filterChain/filter/subFilter/name")
                .and_then(Value::as_str);
            filters.insert(place(filters, operation, anchor)?, value);
            Ok(())
        }
        other => Err(format!("{other:?} is not understood here")),
    }
}

fn add_cluster(resources: &mut Value, value: Value) -> Result<(), String> {
    let clusters = resources["clusters"].as_array_mut().ok_or("no clusters")?;
    if clusters.iter().any(|known| known["name"] == value["name"]) {
        return Err(format!("there is a cluster {} already", value["name"]));
    }
    clusters.push(value);
    Ok(())
}

/// The network filter that a patch looks for, in the first listener.
fn manager<'c>(configuration: &'c mut Value, matching: &Value) -> Result<&'c mut Value, String> {
    let wanted = &matching["listener"]["filterChain"]["filter"]["name"];
    if wanted != MANAGER {
        return Err(format!("there is no filter {wanted}"));
    }
    let chain = configuration.pointer_mut("/static_resources/listeners/0/filter_chains/0/filters");
    let filters = chain.and_then(Value::as_array_mut).ok_or("no filter chain")?;
    let found = filters.iter_mut().find(|filter| filter["name"] == *wanted);
    found.ok_or_else(|| format!("there is no filter {wanted}"))
}

fn place(filters: &[Value], operation: &str, anchor: Option<&str>) -> Result<usize, String> {
    let found = |name: &str| {
        let at = filters.iter().position(|filter| filter["name"] == *name);
        at.ok_or_else(|| format!("there is no HTTP filter {name}"))
    };
    match (operation, anchor) {
        ("INSERT_FIRST", None) => Ok(0),
        ("INSERT_BEFORE", Some(name)) => found(name),
        ("INSERT_AFTER", Some(name)) => Ok(found(name)? + 1),
        _ => Err(format!("{operation} of {anchor:?} is not understood here")),
    }
}

/// As protocol buffers are merged: messages member by member, lists by appending, the rest by
/// replacing. Two messages of different types have nothing in common.
fn merge(into: &mut Value, from: Value) -> Result<(), String> {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            if let (Some(one), Some(other)) = (into.get("@type"), from.get("@type"))
                && one != other
            {
                return Err(format!("{other} cannot be merged into {one}"));
            }
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value)?;
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
    Ok(())
}
