//! The pod of the approval service: what Pod Security and an eviction say of it. No controller is there, so the test
//! makes the pod of the template, and says what a kubelet and the controllers would say of it.

use serde_json::{Value, json};

use crate::cluster::{Cluster, Ran};
use crate::shared::pods;

/// Applies the approval service's objects, without a pod of them yet.
fn apply(cluster: &Cluster, folder: &str) {
    // Another test may be about to make it.
    cluster.namespace("breakglass");
    remove_the_pod(cluster);
    cluster.kubectl(&["apply", "--validate=strict", "-k", folder]).done();
}

/// Takes away the pod, whatever state it is in: no kubelet is there to end it.
fn remove_the_pod(cluster: &Cluster) {
    let delete = ["-n", "breakglass", "delete", "pod", "approvals-1", "--ignore-not-found"];
    assert_eq!(cluster.kubectl(&[&delete[..], &["--grace-period=0", "--force"]].concat()).code, 0);
}

/// The pod that the Deployment's controller would make.
fn pod(cluster: &Cluster) -> Value {
    let deployment =
        cluster.kubectl(&["-n", "breakglass", "get", "deployment", "approvals", "-o=json"]).json();
    let mut pod = deployment["spec"]["template"].clone();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["name"] = "approvals-1".into();
    pod
}

fn create(cluster: &Cluster, object: &Value) -> Ran {
    cluster.kubectl_given(&["-n", "breakglass", "create", "-f", "-"], object.to_string())
}

#[test]
fn the_pod_is_admitted_under_pod_security_restricted_and_one_that_asks_for_more_is_not() {
    let (cluster, _alone) = pods();
    for folder in ["envoy/kubernetes", "envoy/kubernetes-mesh"] {
        apply(cluster, folder);
        let labels = ["get", "namespace", "breakglass", "-o=json"];
        let labels = cluster.kubectl(&labels).json()["metadata"]["labels"].take();
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted", "{folder}");
        let injected = if folder.ends_with("-mesh") { "enabled" } else { "disabled" };
        assert_eq!(labels["istio-injection"], injected, "{folder}");
        let pod = pod(cluster);
        for (pointer, value) in [
            ("/spec/securityContext/runAsNonRoot", json!(false)),
            ("/spec/securityContext/seccompProfile", Value::Null),
            ("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
            ("/spec/containers/0/securityContext/capabilities", Value::Null),
        ] {
            let mut more = pod.clone();
            *more.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
            let refused = create(cluster, &more).refused();
            assert!(refused.contains("violates PodSecurity \"restricted"), "{pointer}: {refused}");
        }
        create(cluster, &pod).done();
    }
}

/// What the kubelet says of the pod.
fn runs(cluster: &Cluster, ready: bool) {
    let ready = if ready { "True" } else { "False" };
    let status =
        json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}});
    let patch = [
        "-n",
        "breakglass",
        "patch",
        "pod",
        "approvals-1",
        "--subresource=status",
        "--type=merge",
        "-p",
    ];
    cluster.kubectl(&[&patch[..], &[&*status.to_string()]].concat()).done();
}

/// What a drain asks for.
fn evict(cluster: &Cluster) -> Ran {
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": "approvals-1", "namespace": "breakglass"}});
    let path = "/api/v1/namespaces/breakglass/pods/approvals-1/eviction";
    cluster.kubectl_given(&["create", "--raw", path, "-f", "-"], eviction.to_string())
}

/// What the controller of the budget says where so many of its one pod are ready.
fn counts(cluster: &Cluster, healthy: u8) {
    let get = ["-n", "breakglass", "get", "poddisruptionbudget", "approvals", "-o=json"];
    let generation = cluster.kubectl(&get).json()["metadata"]["generation"].take();
    let status = json!({"status": {"observedGeneration": generation, "currentHealthy": healthy,
        "desiredHealthy": 1, "expectedPods": 1, "disruptionsAllowed": 0}});
    let status = status.to_string();
    let patch =
        ["-n", "breakglass", "patch", "poddisruptionbudget", "approvals", "--subresource=status"];
    cluster.kubectl(&[&patch[..], &["--type=merge", "-p", &status]].concat()).done();
}

#[test]
fn a_drain_takes_a_pod_that_is_not_ready_and_waits_for_one_that_is() {
    let (cluster, _alone) = pods();
    apply(cluster, "envoy/kubernetes");
    let pod = pod(cluster);
    let is_held_up = || {
        let refused = evict(cluster).refused();
        assert!(refused.contains("disruption budget"), "{refused}");
    };
    create(cluster, &pod).done();
    // A pod that no node has yet holds up no drain, whatever the budget says.
    bind(cluster);
    runs(cluster, true);
    counts(cluster, 1);
    is_held_up();
    runs(cluster, false);
    counts(cluster, 0);
    evict(cluster).done();

    // Without AlwaysAllow the same pod would hold up the drain of its node for as long as it is not ready.
    remove_the_pod(cluster);
    let old = r#"{"spec":{"unhealthyPodEvictionPolicy":null}}"#;
    let patch = ["-n", "breakglass", "patch", "poddisruptionbudget", "approvals", "--type=merge"];
    cluster.kubectl(&[&patch[..], &["-p", old]].concat()).done();
    create(cluster, &pod).done();
    bind(cluster);
    runs(cluster, false);
    counts(cluster, 0);
    is_held_up();
}

/// What the scheduler does.
fn bind(cluster: &Cluster) {
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "approvals-1"},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "node"}});
    let path = "/api/v1/namespaces/breakglass/pods/approvals-1/binding";
    cluster.kubectl_given(&["create", "--raw", path, "-f", "-"], binding.to_string()).done();
}
