//! A proxy takes the workload with the mesh identity that the objects name for the approval service, and no other workload.
//! The service can be reached by the mesh's mutual TLS alone.

use breakglass_tests::client::get;
use breakglass_tests::manifests::kustomization;

use super::asked::Entrance;
use super::identity::{APPROVALS, HTTP};
use super::kubectl::kustomize;
use super::mesh::Mesh;
use super::namespaces::inside;
use super::story::CUT;

#[test]
fn another_identity_of_the_mesh_is_not_the_approval_service() {
    inside("driven::identities::another_identity_of_the_mesh_is_not_the_approval_service", || {
        let mesh = Mesh::start(kustomize("envoy/istio/sidecar"));
        let (_, token) = mesh.grant(&["orders:read"]);
        // Its sidecar gets another certificate of the same authority, while it runs (SDS).
        mesh.approvals().certify(&mesh.authority, "spiffe://cluster.local/ns/breakglass/sa/other");
        mesh.approvals().until("the other certificate", |pod| {
            String::from_utf8_lossy(&pod.admin("/certs")).contains("/sa/other")
        });
        let workload = mesh.workload();
        workload.pod.until_ready();
        let entrance =
            Entrance { to: workload.pod.address(HTTP), behind: &workload.upstream, closes: CUT };
        entrance.ask(&get("/v1/orders/17").token(&token)).refused(503, "keys_unavailable");

        mesh.approvals().certify(&mesh.authority, &APPROVALS.spiffe());
        workload.pod.until("the keys", |_| {
            let asked = entrance.ask(&get("/v1/orders/17").token(&token));
            asked.answer.status == 200
        });
    });
}

#[test]
fn the_approval_service_takes_no_plain_http_from_the_network() {
    inside("driven::identities::the_approval_service_takes_no_plain_http_from_the_network", || {
        let mut mesh = Mesh::start(kustomize("envoy/istio/sidecar"));
        let service = mesh.approvals().address(8300);
        let in_plain_text = || get("/healthz").try_send(service).map(|answer| answer.status);
        assert!(in_plain_text().is_err(), "{:?}", in_plain_text());
        // It is what kubernetes-mesh adds that closes it: without that the mesh is PERMISSIVE.
        let shipped = Mesh::of_istio(&kustomization("envoy/kubernetes-mesh"));
        mesh.control_plane.delete(&shipped);
        mesh.approvals().until("plain HTTP", |_| in_plain_text().is_ok_and(|status| status == 200));
    });
}
