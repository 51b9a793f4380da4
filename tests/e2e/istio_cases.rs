//! `envoy/istio/` where it is not as it should be: breakglass taken away, and a credential with a newline.

use breakglass_tests::approvals::FakeApprovals;
use breakglass_tests::bootstrap::Settings;
use breakglass_tests::client::{Request, get};
use breakglass_tests::envoy::Envoy;
use breakglass_tests::policy::{APPROVER, PROXY_TOKEN};
use breakglass_tests::service::Service;
use breakglass_tests::upstream::Upstream;
use breakglass_tests::wait::until;
use serde_json::json;
use tempfile::TempDir;

use crate::istio::{
    APPROVALS, GATEWAY, SIDECAR, authenticated, overlay_objects, proxy_with, set, with_role,
};

/// An API behind a proxy from which breakglass was taken away, by these policies alone.
#[test]
fn what_only_a_permit_opens_is_closed_where_breakglass_is_not() {
    for (overlay, workload) in [("sidecar", &SIDECAR), ("gateway", &GATEWAY)] {
        let upstream = Upstream::start();
        let policies = overlay_objects(overlay);
        let mut configuration = workload.configuration(upstream.address(), &policies);
        authenticated(&mut configuration);
        let approvals = FakeApprovals::start();
        let settings = Settings::new(None, upstream.address(), approvals.address());
        let envoy =
            Envoy::start_with(&configuration.to_string(), settings, TempDir::new().unwrap());
        let status = |request: Request| request.send(envoy.address()).status;
        assert_eq!(status(get("/health")), 200);
        assert_eq!(status(with_role(get("/v1/orders"), "orders-admin")), 200);
        for path in ["/admin/users", "/admin", "/ADMIN/users", "/v1/orders/..%2f..%2fadmin/users"] {
            for request in [get(path), with_role(get(path), "orders-admin")] {
                for header in ["x-breakglass-grant", "x-breakglass-decision", "x-role"] {
                    let forged = request.clone().header(header, "allow");
                    assert_eq!(status(forged), 403, "{overlay} {path} {header}");
                }
            }
        }
        // Whatever else another policy allows.
        let mut open = policies.clone();
        let orders = open.iter_mut().find(|one| one["metadata"]["name"] == "orders").unwrap();
        orders["spec"]["rules"] = json!([{"to": [{"operation": {"paths": ["/*"]}}]}]);
        let configuration = workload.configuration(upstream.address(), &open);
        let settings = Settings::new(None, upstream.address(), approvals.address());
        let envoy =
            Envoy::start_with(&configuration.to_string(), settings, TempDir::new().unwrap());
        assert_eq!(get("/health").send(envoy.address()).status, 200);
        assert_eq!(get("/admin/users").send(envoy.address()).status, 403);
    }
}

/// `kubectl create secret --from-file` keeps the file's last newline, and the variable has it too.
#[test]
fn a_credential_with_a_newline_behind_it_is_taken() {
    let service = Service::start();
    let mut objects = overlay_objects("sidecar");
    let object = objects.iter_mut().find(|object| object["kind"] == "EnvoyFilter").unwrap();
    let vm = "/spec/configPatches/1/patch/value/typed_config/config/vm_config";
    let with_newline = format!("{PROXY_TOKEN}\n");
    set(
        object,
        &format!("{vm}/environment_variables"),
        json!({"key_values": {"BREAKGLASS_PROXY_TOKEN": with_newline}}),
    );
    let gate = proxy_with(&service, &objects, &SIDECAR, APPROVALS);
    let (grant, token) = service.grant(&["orders:read"], "10m");
    gate.allows(&get("/v1/orders/17").token(&token));
    // The service knows the credential: its feed is read.
    let revoked = service.run(APPROVER, &["revoke", &grant, "--reason", "orders flow again"]);
    assert_eq!(revoked.done(), "revoked");
    let refused = || gate.send(&get("/v1/orders/17").token(&token));
    until("the revocation", || (refused().status == 401).then_some(()));
}
