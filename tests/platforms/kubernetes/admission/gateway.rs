//! Envoy Gateway: who owns a route may not take breakglass off it.

use breakglass_tests::manifests::objects;
use serde_json::{Value, json};

use super::{apply, create, parameters, refuses, refuses_each, restore, takes};
use crate::definitions::define;
use crate::shared::{Asking, Policies, changing};

const FOLDER: &str = "envoy/admission/gateway";
const EXTENSIONS: &str = "breakglass-gateway-extensions";
const MODULES: &str = "breakglass-gateway-modules";
const PARAMETERS: &str = "breakglass-gateway";

fn extension(namespace: &str, spec: &Value) -> Value {
    json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
        "metadata": {"name": "mine", "namespace": namespace}, "spec": spec})
}

fn target(kind: &str) -> Value {
    json!({"group": "gateway.networking.k8s.io", "kind": kind, "name": "orders"})
}

/// Every way to name a target, with what the refusal calls it.
fn overrides() -> Vec<(Value, String)> {
    let mut found = Vec::new();
    for kind in
        ["Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TCPRoute", "UDPRoute", "TLSRoute"]
    {
        let named = format!("{kind} orders");
        found.push((json!({"targetRefs": [target(kind)]}), named.clone()));
        found.push((json!({"targetRef": target(kind)}), named.clone()));
        let mut section = target(kind);
        section["sectionName"] = "http".into();
        found.push((json!({"targetRefs": [section]}), named));
        let selector = json!({"kind": kind, "matchLabels": {"app": "orders"}});
        found.push((json!({"targetSelectors": [selector]}), format!("each {kind}")));
        if kind.ends_with("Route") {
            // It keeps breakglass as long as it has no `wasm` of its own, and here it has.
            let wasm = json!([{"name": "other", "code": {"type": "HTTP", "http": {"url": "http://x/y.wasm"}}}]);
            for merge in ["StrategicMerge", "JSONMerge"] {
                let merged =
                    json!({"mergeType": merge, "targetRefs": [target(kind)], "wasm": wasm});
                found.push((merged, format!("{kind} orders")));
            }
        }
    }
    let everywhere = json!({"kind": "HTTPRoute", "namespaces": {"from": "All"}, "matchLabels": {}});
    found.push((json!({"targetSelectors": [everywhere]}), "each HTTPRoute".to_owned()));
    found
}

/// Any EnvoyExtensionPolicy where none is expected.
fn an_override() -> Value {
    extension("team-b", &json!({"targetRefs": [target("HTTPRoute")]}))
}

static POLICIES: Policies = Policies::new(
    || apply(FOLDER, &an_override()),
    |cluster| restore(cluster, FOLDER, PARAMETERS, &an_override()),
);

fn cluster() -> Asking {
    POLICIES.ask()
}

#[test]
fn no_extension_policy_takes_breakglass_off_a_route_from_another_namespace() {
    let cluster = cluster();
    // The names of some of these begin or end as one that is listed does.
    let elsewhere = ["team-b", "pay", "payments-2", "breakglass"].iter().cycle();
    let refused = overrides()
        .into_iter()
        .zip(elsewhere)
        .map(|((spec, target), namespace)| (extension(namespace, &spec), target))
        .collect();
    let words = ["Expected one of the namespaces [payments], got ", "extension-policies"];
    refuses_each(&cluster, refused, EXTENSIONS, &words);
    for (spec, _) in overrides().iter().step_by(5) {
        takes(&cluster, &extension("payments", spec));
    }
    // An apply on the server's side is another request, and no other way.
    let apply = ["apply", "--server-side", "-f", "-"];
    let refused = cluster.kubectl_given(&apply, an_override().to_string()).refused();
    assert!(refused.contains(EXTENSIONS), "{refused}");
    for file in ["envoyextensionpolicy.yaml", "envoyproxy.yaml", "clienttrafficpolicy.yaml"] {
        for object in objects(format!("envoy/gateway/{file}")) {
            takes(&cluster, &object);
        }
    }
    // With mergeGateways, one of any namespace patches every Gateway of the class.
    let patch = json!({"type": "JSONPatch", "targetRef": {"group": "gateway.networking.k8s.io",
        "kind": "GatewayClass", "name": "eg"}, "jsonPatches": [{"name": "x",
        "type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "operation": {"op": "remove", "path": "/filter_chains/0"}}]});
    let mut object = extension("team-b", &patch);
    object["kind"] = "EnvoyPatchPolicy".into();
    refuses(&cluster, &object, EXTENSIONS, &["GatewayClass eg", "team-b"]);
    object["metadata"]["namespace"] = "payments".into();
    takes(&cluster, &object);
}

#[test]
fn what_was_there_before_goes_on_and_cannot_be_changed_into_more() {
    let cluster = changing();
    define(cluster, "envoy-gateway");
    for name in ["breakglass", "team-b"] {
        cluster.namespace(name);
    }
    let mut old = extension("team-b", &json!({"targetRefs": [target("HTTPRoute")]}));
    old["metadata"]["finalizers"] = json!(["example.com/later"]);
    cluster.kubectl_given(&["create", "-f", "-"], old.to_string()).done();
    cluster.kubectl(&["apply", "-k", FOLDER]).done();
    let mut other = old.clone();
    other["metadata"]["name"] = "another".into();
    breakglass_tests::wait::until_within(super::PATIENCE, FOLDER, || {
        (create(cluster, &other).code != 0).then_some(())
    });
    let patch = |patch: Value, subresource: &[&str]| {
        let patch = patch.to_string();
        let change =
            ["-n", "team-b", "patch", "envoyextensionpolicy", "mine", "--type=merge", "-p", &patch];
        cluster.kubectl(&[&change[..], subresource].concat())
    };
    let worse = json!({"spec": {"targetRefs": [target("GRPCRoute")]}});
    assert!(patch(worse.clone(), &[]).refused().contains(EXTENSIONS));
    patch(json!({"metadata": {"labels": {"seen": "yes"}}}), &[]).done();
    // The controller's word about it is no change of it, whatever it says.
    let mut status = worse.clone();
    status["status"] = json!({"ancestors": []});
    patch(status, &["--subresource=status"]).done();
    let kept = [
        "-n",
        "team-b",
        "get",
        "envoyextensionpolicy",
        "mine",
        "-o=jsonpath={.spec.targetRefs[0].kind}",
    ];
    assert_eq!(cluster.kubectl(&kept).done(), "HTTPRoute");
    // While its deletion waits for somebody, it is no way in either.
    let delete = ["-n", "team-b", "delete", "envoyextensionpolicy", "mine", "--wait=false"];
    assert_eq!(cluster.kubectl(&delete).code, 0);
    assert!(patch(worse, &[]).refused().contains(EXTENSIONS));
    patch(json!({"metadata": {"finalizers": null}}), &[]).done();
    assert!(cluster.kubectl(&kept).refused().contains("not found"));
}

#[test]
fn without_its_parameters_everything_is_refused() {
    let cluster = POLICIES.change();
    let ours = objects("envoy/gateway/envoyextensionpolicy.yaml").remove(0);
    takes(&cluster, &ours);
    let name = PARAMETERS;
    parameters(
        &cluster,
        name,
        &json!({"data": {"extension-policies": "team-b\n  payments \n"}}),
        &an_override(),
        true,
    );
    takes(&cluster, &ours);
    for data in
        [json!({"extension-policies": ""}), json!({"extension-policies": null}), Value::Null]
    {
        parameters(&cluster, name, &json!({"data": data}), &ours, false);
        refuses(&cluster, &ours, EXTENSIONS, &["namespaces []"]);
        parameters(
            &cluster,
            name,
            &json!({"data": {"extension-policies": "payments"}}),
            &ours,
            true,
        );
    }
    cluster.kubectl(&["-n", "breakglass", "delete", "configmap", name]).done();
    breakglass_tests::wait::until_within(super::PATIENCE, name, || {
        (create(&cluster, &ours).code != 0).then_some(())
    });
    let said = create(&cluster, &ours).refused();
    assert!(said.contains(EXTENSIONS) && said.contains("no params found"), "{said}");
}

#[test]
fn no_proxy_takes_a_module_from_a_server() {
    let cluster = cluster();
    let remote = json!({"type": "Remote",
        "remote": {"url": "https://modules.internal/x.so", "sha256": "00".repeat(32)}});
    let local = json!({"type": "Local", "local": {"path": "/etc/breakglass/libbreakglass.so"}});
    let proxy = |sources: &[&Value]| {
        let named =
            |(at, source): (usize, &&Value)| json!({"name": format!("m{at}"), "source": source});
        let modules: Vec<Value> = sources.iter().enumerate().map(named).collect();
        json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyProxy",
            "metadata": {"name": "mine", "namespace": "payments"}, "spec": {"dynamicModules": modules}})
    };
    takes(&cluster, &proxy(&[&local]));
    takes(&cluster, &proxy(&[&json!({"local": {"path": "/x.so"}})]));
    for sources in [&[&remote][..], &[&local, &remote]] {
        refuses(
            &cluster,
            &proxy(sources),
            MODULES,
            &["expected source.type Local, got Remote", "source.local.path"],
        );
    }
    let good = proxy(&[&local]).to_string();
    cluster.kubectl_given(&["create", "-f", "-"], good).done();
    let change = cluster.kubectl_given(&["apply", "-f", "-"], proxy(&[&remote]).to_string());
    assert!(change.refused().contains(MODULES));
}
