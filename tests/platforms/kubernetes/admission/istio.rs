//! Istio: what stands in a guarded namespace stays behind breakglass.

use breakglass_tests::manifests::objects;
use serde_json::{Value, json};

use super::{apply, create, parameters, refuses, refuses_each, restore, takes};
use crate::shared::{Asking, Policies};
use crate::units::units;

const FOLDER: &str = "envoy/admission/istio";
const FILTERS: &str = "breakglass-istio-envoyfilters";
const PLUGINS: &str = "breakglass-istio-plugins";
const PARAMETERS: &str = "breakglass-istio";
const GUARDED: [&str; 3] = ["payments", "istio-ingress", "istio-system"];

fn filter(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

fn patches(patches: &[Value]) -> Value {
    json!({ "configPatches": patches })
}

fn patch(apply_to: &str, operation: &str, matched: &Value, value: &Value) -> Value {
    json!({"applyTo": apply_to, "match": matched, "patch": {"operation": operation, "value": value}})
}

/// Beside a filter of this name.
fn beside(filter: &str) -> Value {
    json!({"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": {
        "name": "envoy.filters.network.http_connection_manager", "subFilter": {"name": filter}}}}})
}

fn any_filter() -> Value {
    json!({"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": {
        "name": "envoy.filters.network.http_connection_manager"}}}})
}

fn lua() -> Value {
    json!({"name": "lua", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"}})
}

fn first() -> Value {
    filter(
        "payments",
        "mine",
        &patches(&[patch("HTTP_FILTER", "INSERT_FIRST", &any_filter(), &lua())]),
    )
}

static POLICIES: Policies = Policies::new(
    || apply(FOLDER, &first()),
    |cluster| restore(cluster, FOLDER, PARAMETERS, &first()),
);

fn cluster() -> Asking {
    POLICIES.ask()
}

/// What takes breakglass off, stands before it or leads past it, with a word of the refusal.
fn bad() -> Vec<(Value, &'static str)> {
    let router = "envoy.filters.http.router";
    let off = json!({"breakglass": {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true}});
    let inbound = json!({"context": "SIDECAR_INBOUND"});
    let insert = patch("HTTP_FILTER", "INSERT_BEFORE", &beside(router), &lua());
    let mut found = vec![
        (json!({"priority": 1001, "configPatches": [insert]}), "spec.priority"),
        (json!({"priority": 2_147_483_647, "configPatches": []}), "spec.priority"),
    ];
    let mut bad = |patch: Value, word: &'static str| {
        // Behind a harmless one it is no better.
        found.push((patches(&[insert.clone(), patch.clone()]), word));
        found.push((patches(&[patch]), word));
    };
    bad(patch("HTTP_FILTER", "INSERT_FIRST", &any_filter(), &lua()), "INSERT_FIRST stands before");
    bad(patch("HTTP_FILTER", "INSERT_BEFORE", &any_filter(), &lua()), "a subFilter that is named");
    bad(
        json!({"applyTo": "HTTP_FILTER", "patch": {"operation": "INSERT_BEFORE", "value": lua()}}),
        "subFilter",
    );
    bad(
        json!({"applyTo": "HTTP_FILTER", "patch": {"operation": "INSERT_FIRST", "value": lua()}}),
        "subFilter",
    );
    bad(json!({"applyTo": "HTTP_FILTER"}), "subFilter");
    for name in ["breakglass", "breakglass-decision", "payments.breakglass", ""] {
        for operation in ["INSERT_BEFORE", "INSERT_AFTER", "REMOVE", "MERGE", "REPLACE"] {
            bad(patch("HTTP_FILTER", operation, &beside(name), &lua()), "subFilter");
        }
    }
    for matched in [json!({}), json!({"filter": {"subFilter": {"name": "breakglass"}}})] {
        let matched = json!({"context": "WAYPOINT", "waypoint": matched});
        bad(patch("HTTP_FILTER", "INSERT_BEFORE", &matched, &lua()), "subFilter");
    }
    // What stands behind breakglass and judges by its decision.
    for operation in ["REMOVE", "REPLACE", "MERGE"] {
        bad(
            patch(
                "HTTP_FILTER",
                operation,
                &beside("envoy.filters.http.rbac"),
                &json!({"disabled": true}),
            ),
            "subFilter",
        );
    }
    // A second one of its name.
    bad(patch("HTTP_FILTER", "ADD", &any_filter(), &json!({"name": "breakglass"})), "subFilter");
    for kind in [
        "LISTENER",
        "FILTER_CHAIN",
        "NETWORK_FILTER",
        "LISTENER_FILTER",
        "BOOTSTRAP",
        "EXTENSION_CONFIG",
    ] {
        for context in ["SIDECAR_INBOUND", "GATEWAY", "WAYPOINT", "ANY"] {
            let mut matched = json!({"context": context});
            if context == "WAYPOINT" {
                matched["waypoint"] = json!({});
            }
            bad(patch(kind, "MERGE", &matched, &json!({})), kind);
        }
        bad(json!({"applyTo": kind, "patch": {"operation": "ADD", "value": {}}}), kind);
    }
    bad(json!({"patch": {"operation": "ADD", "value": {}}}), "none");
    for kind in ["HTTP_ROUTE", "VIRTUAL_HOST", "ROUTE_CONFIGURATION"] {
        for value in [
            json!({"typed_per_filter_config": off}),
            json!({"typedPerFilterConfig": off}),
            json!({"routes": [{"typed_per_filter_config": off}]}),
            json!({"matcher": {}}),
            json!({"virtual_hosts": []}),
            json!({"virtualHosts": []}),
            json!({"vhds": {}}),
            json!({"route": {"weighted_clusters": {"clusters": [{"typed_per_filter_config": off}]}}}),
            json!({"route": {"weightedClusters": {}}}),
        ] {
            bad(patch(kind, "MERGE", &inbound, &value), "typed_per_filter_config");
        }
    }
    let named = |name: &str| json!({"context": "ANY", "cluster": {"name": name}});
    for name in ["breakglass-approvals", "outbound|443||approvals.internal", ""] {
        bad(patch("CLUSTER", "MERGE", &named(name), &json!({})), "CLUSTER");
        bad(patch("CLUSTER", "REMOVE", &named(name), &json!({})), "CLUSTER");
    }
    bad(patch("CLUSTER", "MERGE", &inbound, &json!({})), "CLUSTER");
    bad(
        patch("CLUSTER", "MERGE", &json!({"cluster": {"portNumber": 8300}}), &json!({})),
        "CLUSTER",
    );
    let service = json!({"cluster": {"service": "approvals.breakglass.svc.cluster.local"}});
    bad(patch("CLUSTER", "MERGE", &service, &json!({})), "CLUSTER");
    bad(patch("CLUSTER", "ADD", &inbound, &json!({"name": "breakglass-approvals"})), "CLUSTER");
    bad(patch("CLUSTER", "ADD", &inbound, &json!({})), "CLUSTER");
    // The context is no way round either.
    let outbound = json!({"context": "SIDECAR_OUTBOUND"});
    bad(patch("CLUSTER", "MERGE", &outbound, &json!({})), "CLUSTER");
    found
}

/// What teams do, and may.
fn good() -> Vec<Value> {
    let outbound = json!({"context": "SIDECAR_OUTBOUND"});
    let waypoint = json!({"context": "WAYPOINT",
        "waypoint": {"filter": {"name": "x", "subFilter": {"name": "envoy.filters.http.router"}}}});
    let own = json!({"cluster": {"service": "orders.payments.svc.cluster.local"}});
    vec![
        json!({"priority": 1000, "configPatches": []}),
        patches(&[patch("HTTP_FILTER", "INSERT_BEFORE", &waypoint, &lua())]),
        json!({"priority": -10}),
        patches(&[patch(
            "HTTP_FILTER",
            "INSERT_BEFORE",
            &beside("envoy.filters.http.router"),
            &lua(),
        )]),
        patches(&[patch(
            "HTTP_FILTER",
            "INSERT_AFTER",
            &beside("envoy.filters.http.cors"),
            &lua(),
        )]),
        patches(&[patch("HTTP_FILTER", "ADD", &any_filter(), &lua())]),
        patches(&[patch(
            "HTTP_ROUTE",
            "MERGE",
            &json!({"context": "SIDECAR_INBOUND"}),
            &json!({"route": {"timeout": "3s"}}),
        )]),
        patches(&[patch("CLUSTER", "MERGE", &own, &json!({"connect_timeout": "2s"}))]),
        patches(&[patch("CLUSTER", "ADD", &outbound, &json!({"name": "ratelimit"}))]),
        patches(&[patch("NETWORK_FILTER", "MERGE", &outbound, &json!({}))]),
        patches(&[patch("HTTP_FILTER", "INSERT_FIRST", &outbound, &lua())]),
    ]
}

#[test]
fn no_other_filter_stands_before_breakglass_or_takes_it_off() {
    let cluster = cluster();
    // Each namespace in turn: what is asked of one is asked of all.
    let namespaces = GUARDED.iter().cycle();
    let object = |namespace: &str, spec: &Value| filter(namespace, "mine", spec);
    let refused: Vec<(Value, String)> = bad()
        .into_iter()
        .zip(namespaces)
        .map(|((spec, word), namespace)| (object(namespace, &spec), word.to_owned()))
        .collect();
    let elsewhere: Vec<Value> = bad().iter().map(|(spec, _)| object("team-b", spec)).collect();
    assert!(refused.len() > 150, "{}", refused.len());
    refuses_each(&cluster, refused, FILTERS, &["admitted", "breakglass/breakglass-istio"]);
    for object in elsewhere.iter().step_by(20) {
        takes(&cluster, object);
    }
    for spec in good() {
        takes(&cluster, &filter("payments", "mine", &spec));
    }
}

#[test]
fn what_brings_breakglass_is_admitted_wherever_it_is_and_nothing_else_under_its_name() {
    let cluster = cluster();
    let mut taken = 0;
    for unit in units(&cluster).iter().filter(|unit| unit.path.starts_with("envoy/istio")) {
        for mut object in unit.objects.clone() {
            for namespace in GUARDED {
                object["metadata"]["namespace"] = namespace.into();
                takes(&cluster, &object);
                taken += 1;
            }
        }
    }
    assert!(taken > 20, "{taken}");
    let mut plugin = objects("envoy/istio/alternatives/wasmplugin.yaml").remove(0);
    plugin["metadata"]["namespace"] = "payments".into();
    takes(&cluster, &plugin);
    plugin["spec"]["failStrategy"] = "FAIL_OPEN".into();
    refuses(&cluster, &plugin, PLUGINS, &["got FAIL_OPEN"]);

    let words = ["called breakglass brings breakglass", "FAIL_RELOAD or FAIL_CLOSED"];
    let ours = objects("envoy/istio/base/envoyfilter.yaml").remove(0);
    let is_first = |patch: &Value| patch["patch"]["operation"] == "INSERT_FIRST";
    let at = ours["spec"]["configPatches"].as_array().unwrap().iter().position(is_first).unwrap();
    let place = format!("/spec/configPatches/{at}");
    let policy = "patch/value/typed_config/config/failure_policy";
    for (pointer, value) in [
        (format!("{place}/{policy}"), json!("FAIL_OPEN")),
        (format!("{place}/{policy}"), Value::Null),
        (format!("{place}/patch/value/name"), json!("lua")),
        (format!("{place}/patch/operation"), json!("REMOVE")),
        (format!("{place}/patch/operation"), json!("ADD")),
    ] {
        let mut wrong = ours.clone();
        wrong["metadata"]["namespace"] = "payments".into();
        *wrong.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        refuses(&cluster, &wrong, FILTERS, &words);
    }
    for patched in [
        patch("HTTP_FILTER", "INSERT_FIRST", &any_filter(), &lua()),
        patch("HTTP_FILTER", "REMOVE", &beside("envoy.filters.http.rbac"), &json!({})),
        patch("HTTP_FILTER", "REMOVE", &json!({"listener": {"name": "main_internal"}}), &json!({})),
    ] {
        refuses(&cluster, &filter("payments", "breakglass", &patches(&[patched])), FILTERS, &words);
    }
    refuses(&cluster, &filter("payments", "breakglass", &patches(&[])), FILTERS, &words);
}

#[test]
fn no_plugin_of_the_phase_authn_is_admitted_beside_breakglass() {
    let cluster = cluster();
    let plugin = |phase: Value| {
        json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
            "metadata": {"name": "mine", "namespace": "payments"},
            "spec": {"url": "oci://registry.internal/x:1", "phase": phase}})
    };
    let extension = |phase: Value, kind: &str, what: Value| {
        json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "TrafficExtension",
            "metadata": {"name": "mine", "namespace": "payments"}, "spec": {"phase": phase, kind: what}})
    };
    let lua = json!({"inlineCode": "function envoy_on_request(handle) end"});
    let wasm = json!({"url": "oci://registry.internal/x:1"});
    let each = |phase: &str| {
        [
            plugin(phase.into()),
            extension(phase.into(), "lua", lua.clone()),
            extension(phase.into(), "wasm", wasm.clone()),
        ]
    };
    for mut object in each("AUTHN") {
        refuses(&cluster, &object, PLUGINS, &["spec.phase", "got AUTHN", "payments/mine"]);
        object["metadata"]["namespace"] = "team-b".into();
        takes(&cluster, &object);
    }
    for object in each("AUTHZ").iter().chain(&each("STATS")) {
        takes(&cluster, object);
    }
    takes(&cluster, &plugin(Value::Null));
    cluster.kubectl_given(&["create", "-f", "-"], each("STATS")[0].to_string()).done();
    let change = cluster.kubectl_given(&["apply", "-f", "-"], each("AUTHN")[0].to_string());
    assert!(change.refused().contains(PLUGINS));
}

#[test]
fn the_parameters_admit_what_was_read_and_without_them_everything_is_refused() {
    let cluster = POLICIES.change();
    let name = PARAMETERS;
    let good = filter("payments", "mine", &good()[2]);
    takes(&cluster, &good);
    parameters(
        &cluster,
        name,
        &json!({"data": {"admitted": "payments/other\n payments/mine\n"}}),
        &first(),
        true,
    );
    // The same name elsewhere was not read.
    let mut elsewhere = first();
    elsewhere["metadata"]["namespace"] = "istio-system".into();
    refuses(&cluster, &elsewhere, FILTERS, &["istio-system/mine"]);
    parameters(&cluster, name, &json!({"data": {"admitted": ""}}), &first(), false);
    let unguarded = filter("team-b", "mine", &json!({}));
    takes(&cluster, &unguarded);
    for data in
        [json!({"guarded-namespaces": " \n"}), json!({"guarded-namespaces": null}), Value::Null]
    {
        parameters(&cluster, name, &json!({"data": data}), &unguarded, false);
        refuses(&cluster, &unguarded, FILTERS, &["expected a namespace a line, got nothing"]);
        let again = json!({"data": {"guarded-namespaces": GUARDED.join("\n"), "priority": "1000", "breakglass": "breakglass"}});
        parameters(&cluster, name, &again, &unguarded, true);
    }
    // Without the priority of ours none is known to be below it.
    let higher = filter("payments", "mine", &json!({"priority": 1}));
    parameters(&cluster, name, &json!({"data": {"priority": null}}), &higher, false);
    refuses(&cluster, &higher, FILTERS, &["priority is not in the parameters"]);
    cluster.kubectl(&["-n", "breakglass", "delete", "configmap", name]).done();
    breakglass_tests::wait::until_within(super::PATIENCE, name, || {
        (create(&cluster, &unguarded).code != 0).then_some(())
    });
    let said = create(&cluster, &unguarded).refused();
    assert!(said.contains(FILTERS) && said.contains("no params found"), "{said}");
}
