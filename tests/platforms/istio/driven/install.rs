//! docs/install/istio.md, walked from its first line to its last by somebody who has nothing but the document.

use std::fs;

use breakglass_tests::artefacts::root;
use breakglass_tests::client::get;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use super::asked::Entrance;
use super::cluster::{Cluster, InjectedProxy, deployment_before, secret};
use super::identity::{HTTP, PAYMENTS};
use super::mesh::{Mesh, Workload};
use super::namespaces::inside;
use super::story::{CUT, guarded, independent_deny, under_a_permit};

/// Where the document turns to something else than the EnvoyFilter, which must not be applied beside it.
const ANOTHER_WAY: &str = "## Without an EnvoyFilter";

/// What the document tells to type until there, in its order: one session in one shell.
fn session() -> String {
    let text = fs::read_to_string(root().join("docs/install/istio.md")).unwrap();
    let (text, _) = text.split_once(ANOTHER_WAY).expect("the other way");
    let mut lines = text.lines();
    let mut session = String::new();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("```sh") {
            let inside = lines.by_ref().take_while(|line| line.trim() != "```");
            inside.for_each(|line| session.extend([line.trim_start(), "\n"]));
        }
    }
    session
}

/// The member of a list that has a name.
fn named(list: &Value, name: &str) -> Value {
    let found = list.as_array().unwrap().iter().find(|member| member["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {list}")).clone()
}

/// The proxy that the injector makes of a Deployment after `envoy/istio/workload.yaml` is patched into it: Istio's own,
/// in place of `auto`, with all that it has anyway, and with the module and the token.
fn patched_and_injected(before: &Value, kind: &str) -> InjectedProxy {
    let name = before["metadata"]["name"].as_str().unwrap();
    let namespace = before["metadata"]["namespace"].as_str().unwrap();
    let cluster = Cluster::with(std::slice::from_ref(before));
    let patch = format!(
        "kubectl --namespace {namespace} patch deployment {name} --patch-file envoy/istio/workload.yaml"
    );
    cluster.run(&patch, |_| ());
    let proxy = cluster.injected(&format!("Deployment {namespace}/{name}"));
    let container = &proxy.container;
    let image = container["image"].as_str().unwrap();
    assert!(image.contains("/proxyv2:"), "{image}");
    assert_eq!(container["args"][0], "proxy");
    assert_eq!(container["args"][1], kind);
    let token = named(&container["env"], "BREAKGLASS_PROXY_TOKEN");
    let secret = json!({"name": "breakglass-proxy", "key": "token"});
    assert_eq!(token["valueFrom"]["secretKeyRef"], secret);
    named(&container["env"], "ISTIO_META_CLUSTER_ID");
    let mounts = &container["volumeMounts"];
    assert_eq!(named(mounts, "breakglass")["mountPath"], "/etc/breakglass");
    named(mounts, "workload-socket");
    assert!(named(&proxy.pod["spec"]["volumes"], "breakglass").get("image").is_some());
    proxy
}

#[test]
fn the_injector_merges_what_is_patched_into_a_workload() {
    let proxy = patched_and_injected(&deployment_before(), "sidecar");
    assert_eq!(named(&proxy.pod["spec"]["containers"], "app")["image"], "payments:1");
    assert_eq!(proxy.container["securityContext"]["readOnlyRootFilesystem"], true);
    let annotations = &proxy.pod["metadata"]["annotations"];
    assert_eq!(annotations["proxy.istio.io/config"], "concurrency: 2\n", "what was there stays");
}

#[test]
fn the_injector_merges_what_is_patched_into_a_gateway() {
    let mut gateway = deployment_before();
    gateway["metadata"] = json!({"name": "ingress", "namespace": "istio-ingress"});
    let template = &mut gateway["spec"]["template"];
    template["metadata"]["annotations"] = json!({"inject.istio.io/templates": "gateway"});
    template["spec"]["containers"] = json!([{"name": "istio-proxy", "image": "auto"}]);
    patched_and_injected(&gateway, "router");
}

#[test]
fn the_document_from_its_first_line_to_its_last() {
    inside("driven::install::the_document_from_its_first_line_to_its_last", || {
        let cluster = Cluster::with(&[deployment_before()]);
        let mut story = Installation::default();
        let session = session();
        let printed = cluster.run(&session, |objects| story.react(&cluster, objects));
        // Its last line asks the proxy.
        let rejected = printed.lines().find(|line| line.contains("lds.update_rejected"));
        assert!(rejected.is_some_and(|line| line.ends_with(": 0")), "{printed}");

        let (mut mesh, workload) = (story.mesh.unwrap(), story.workload.unwrap());
        let deny = independent_deny(PAYMENTS.namespace, &json!({"app": "payments"}));
        mesh.control_plane.apply(&[deny]);
        workload.pod.until("the filter", |pod| guarded(pod, "virtualInbound"));
        let entrance =
            Entrance { to: workload.pod.address(HTTP), behind: &workload.upstream, closes: CUT };
        entrance.settles("/v1/orders/17/items/secret", 403);
        // It has just begun, and on a busy machine may not hear from the service within the time of one request.
        let (_, token) = mesh.grant(&["orders:read"]);
        let order = get("/v1/orders/17").token(&token);
        until("the service to be heard", || {
            (entrance.ask(&order).answer.status != 503).then_some(())
        });
        under_a_permit(&mesh, entrance);
    });
}

/// What becomes of the cluster while somebody types.
#[derive(Default)]
struct Installation {
    mesh: Option<Mesh>,
    workload: Option<Workload>,
}

impl Installation {
    /// Does what the cluster's parts do with new objects.
    fn react(&mut self, cluster: &Cluster, objects: &[Value]) {
        for object in objects {
            match object["kind"].as_str().unwrap() {
                // The digest of its token is in the service's configuration, as the document says.
                "Secret" => {
                    let token = secret(object, "token");
                    // Those of the other tests end with one.
                    assert!(!token.ends_with('\n'), "the document's has no newline: {token:?}");
                    self.mesh = Some(Mesh::start_in(
                        super::kubernetes::cluster(),
                        Vec::new(),
                        false,
                        Some(&token),
                    ));
                }
                // The Deployment was there before; a new version of it replaces the pods.
                "Deployment" if self.mesh.is_some() => {
                    let mesh = self.mesh.as_ref().unwrap();
                    let proxy = cluster.injected("Deployment payments/payments");
                    let image = mesh.extras().image.unwrap();
                    let extras = cluster.extras(PAYMENTS.namespace, &proxy, &image);
                    assert!(extras.image.is_some(), "the module is mounted");
                    let workload = mesh.workload_with(&extras);
                    workload.pod.until_ready();
                    cluster.runs("payments", &workload.pod);
                    self.workload = Some(workload);
                }
                _ => {}
            }
        }
        let istios = Mesh::of_istio(objects);
        if !istios.is_empty() {
            self.mesh.as_mut().unwrap().control_plane.apply(&istios);
            let workload = self.workload.as_ref().unwrap();
            workload.pod.until("the filter", |pod| guarded(pod, "virtualInbound"));
        }
    }
}
