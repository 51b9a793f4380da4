//! A listener that Envoy rejects: what a proxy that runs does with it, what a new one does, and what counts it.

use breakglass_tests::client::get;
use breakglass_tests::wait::during;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::asked::Entrance;
use super::identity::{HTTP, Identity, PAYMENTS};
use super::kubectl::kustomize;
use super::mesh::Mesh;
use super::namespaces::inside;
use super::pod::{Extras, Pod};
use super::story::{CUT, envoy_filter, guarded, with};

/// What Envoy counts where it takes a listener from a control plane, and where it does not.
const REJECTED: &str = "listener_manager.lds.update_rejected";

/// Another pod of the workload, which comes later.
const LATER: Identity =
    Identity { name: "payments-2", ip: Ipv4Addr::new(10, 1, 0, 20), ..PAYMENTS };

/// A policy that closes what was open.
fn closing_health() -> Value {
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": "later", "namespace": PAYMENTS.namespace},
        "spec": {"action": "DENY", "selector": {"matchLabels": {"app": "payments"}}, "rules": [
            {"to": [{"operation": {"paths": ["/health"], "ports": [HTTP.to_string()]}}]}]},
    })
}

/// It says that it is ready, and is not guarded.
fn ready_with_its_old_listener(pod: &Pod, entrance: Entrance<'_>) {
    assert!(pod.is_ready());
    entrance.ask(&get("/health")).passed();
}

/// It does not become ready, and takes no request.
fn never_opens(pod: &Pod) {
    pod.until("a rejected listener", |pod| pod.stat(REJECTED) > 0);
    during(Duration::from_secs(1), || {
        assert!(!pod.is_ready());
        assert!(get("/health").try_send(pod.address(HTTP)).is_err());
    });
}

#[test]
fn where_the_module_is_missing() {
    inside("driven::updates::where_the_module_is_missing", || {
        let mut mesh = Mesh::start(Vec::new());
        // The patch of envoy/istio/workload.yaml was forgotten.
        let workload = mesh.workload_with(&Extras::default());
        workload.pod.until_ready();
        let entrance =
            Entrance { to: workload.pod.address(HTTP), behind: &workload.upstream, closes: CUT };
        assert_eq!(workload.pod.stat(REJECTED), 0);

        // Object by object, as kubectl does; where the policies arrive first, they hold at least.
        let objects = kustomize("envoy/istio/sidecar");
        mesh.control_plane.apply(&envoy_filter(&objects));
        workload.pod.until("a rejected listener", |pod| pod.stat(REJECTED) > 0);
        mesh.control_plane.apply(&objects);
        ready_with_its_old_listener(&workload.pod, entrance);
        assert!(!guarded(&workload.pod, "virtualInbound"));
        // Neither do the policies arrive, which are of the same listener, nor anything later.
        entrance.ask(&get("/v1/orders/17")).passed();
        entrance.ask(&get("/admin/users")).passed();
        let rejected = workload.pod.stat(REJECTED);
        mesh.control_plane.apply(&[closing_health()]);
        workload.pod.until("the next listener, rejected too", |pod| pod.stat(REJECTED) > rejected);
        ready_with_its_old_listener(&workload.pod, entrance);

        let later = mesh.workload_as(LATER, &Extras::default());
        never_opens(&later.pod);

        // With the module it opens, and has all of it.
        drop(later);
        let later = mesh.workload_as(LATER, &mesh.extras());
        later.pod.until_ready();
        assert_eq!(later.pod.stat(REJECTED), 0);
        let entrance =
            Entrance { to: later.pod.address(HTTP), behind: &later.upstream, closes: CUT };
        entrance.ask(&get("/health")).closed();
        entrance.ask(&get("/admin/users")).refused(401, "token_missing");
    });
}

#[test]
fn where_the_configuration_is_wrong() {
    inside("driven::updates::where_the_configuration_is_wrong", || {
        let objects = kustomize("envoy/istio/sidecar");
        let mut mesh = Mesh::start(objects.clone());
        let workload = mesh.workload();
        workload.pod.until_ready();
        let entrance =
            Entrance { to: workload.pod.address(HTTP), behind: &workload.upstream, closes: CUT };
        assert!(guarded(&workload.pod, "virtualInbound"));

        mesh.control_plane.apply(&[with(&objects, "enforcement", "enforced")]);
        workload.pod.until("a rejected listener", |pod| pod.stat(REJECTED) > 0);
        let said = workload.pod.log();
        assert!(said.contains("enforcement"), "the proxy's log names the field:\n{said}");
        // The old configuration goes on; nothing later arrives.
        assert!(guarded(&workload.pod, "virtualInbound"));
        ready_with_its_old_listener(&workload.pod, entrance);
        entrance.ask(&get("/admin/users")).refused(401, "token_missing");
        let rejected = workload.pod.stat(REJECTED);
        mesh.control_plane.apply(&[closing_health()]);
        workload.pod.until("the next listener, rejected too", |pod| pod.stat(REJECTED) > rejected);
        ready_with_its_old_listener(&workload.pod, entrance);

        let later = mesh.workload_as(LATER, &mesh.extras());
        never_opens(&later.pod);

        // Corrected, both have everything.
        mesh.control_plane.apply(&envoy_filter(&objects));
        entrance.settles("/health", 403);
        later.pod.until_ready();
    });
}
