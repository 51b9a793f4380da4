//! Whom a proxy takes for the approval service: the mesh's identity that the objects name, and nobody else.

use breakglass_tests::client::get;

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
