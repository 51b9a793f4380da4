//! The mesh that a story takes place in: the approval service as it is shipped, behind a sidecar that speaks nothing
//! but mutual TLS; the workload; gateways; and what a cluster says of them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::{fs, io, thread};

use breakglass_tests::artefacts::{binary, filter, root};
use breakglass_tests::certificates::Authority;
use breakglass_tests::client::get;
use breakglass_tests::manifests::kustomization;
use breakglass_tests::service::Ran;
use breakglass_tests::upstream::Upstream;
use breakglass_tests::wait::until;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::control_plane::ControlPlane;
use super::identity::{APPROVALS, GATEWAY, GRPC, HTTP, Identity, OTHER_GATEWAY, PAYMENTS, TCP};
use super::kubernetes::cluster;
use super::pod::{APPROVALS_HOST, Extras, Kind, Pod};
use super::role::Provider;

/// Where tokens of the identity provider are taken: as users have it, wherever they have a role open something.
const GUARDED: [(&str, (&str, &str)); 3] = [
    (PAYMENTS.namespace, ("app", "payments")),
    (GATEWAY.namespace, ("istio", "ingressgateway")),
    (OTHER_GATEWAY.namespace, ("istio", "ingressgateway")),
];

/// Who asks, who approves, who audits.
pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const ERIN: &str = "erin@example.com";

/// A running mesh. Dropping it ends everything.
pub(crate) struct Mesh {
    pub(crate) control_plane: ControlPlane,
    pub(crate) authority: Authority,
    pub(crate) provider: Provider,
    approvals: Pod,
    people: Vec<(&'static str, String)>,
    /// The line that `breakglass keygen api-token` made for the proxies, with its newline.
    pub(crate) proxy_token: String,
    folder: TempDir,
}

/// The workload: its pod, and the application in it.
pub(crate) struct Workload {
    pub(crate) pod: Pod,
    pub(crate) upstream: Upstream,
    _grpc: Upstream,
}

impl Mesh {
    /// Starts one with these objects of Istio.
    pub(crate) fn start(istio: Vec<Value>) -> Mesh {
        Mesh::start_in(cluster(), istio, false, None)
    }

    /// The same, in another cluster, which may be ambient, with a token for proxies that is known already.
    pub(crate) fn start_in(
        cluster: Vec<Value>,
        istio: Vec<Value>,
        ambient: bool,
        proxy_token: Option<&str>,
    ) -> Mesh {
        let folder = TempDir::new().unwrap();
        let (authority, provider) = (Authority::new(), Provider::new());
        let mut istio = istio;
        for (namespace, label) in GUARDED {
            istio.push(provider.authentication(namespace, &json!({label.0: label.1})));
        }
        // The approval service is reached with an identity of the mesh, or not at all.
        istio.extend(Mesh::of_istio(&kustomization("envoy/kubernetes-mesh")));
        let control_plane = ControlPlane::start(cluster, istio, ambient);
        let (config, people, proxy_token) = configuration(proxy_token);
        let etc = folder.path().join("approvals");
        fs::create_dir(&etc).unwrap();
        fs::write(etc.join("config.toml"), config).unwrap();
        let definitions = root().join("envoy/kubernetes/definitions.json");
        fs::copy(definitions, etc.join("definitions.json")).unwrap();
        let mut approvals = Pod::new(APPROVALS, Kind::Sidecar, NAMES);
        approvals.start_proxy(&authority, &Extras { image: Some(etc), environment: Vec::new() });
        let mut serve = approvals.command("sh");
        let serving = "mkdir -p /var/lib/breakglass && exec \"$0\" serve --config /etc/breakglass/config.toml";
        serve.args(["-ec", serving]).arg(binary());
        approvals.spawn(serve);
        let mesh =
            Mesh { control_plane, authority, provider, approvals, people, proxy_token, folder };
        mesh.approvals.within(|| {
            let service = "127.0.0.1:8300".parse().unwrap();
            until("the approval service", || {
                get("/readyz").try_send(service).ok().filter(|answer| answer.status == 200)
            });
        });
        mesh.approvals.until_ready();
        mesh
    }

    /// The workload's pod with its application, and a proxy that has what `envoy/istio/workload.yaml` gives it.
    pub(crate) fn workload(&self) -> Workload {
        self.workload_with(&self.extras())
    }

    /// The same, with a proxy that has something else; it may not become ready.
    pub(crate) fn workload_with(&self, extras: &Extras) -> Workload {
        self.workload_as(PAYMENTS, extras)
    }

    /// The same, in another pod of the workload.
    pub(crate) fn workload_as(&self, identity: Identity, extras: &Extras) -> Workload {
        let mut pod = Pod::new(identity, Kind::Sidecar, NAMES);
        let listen = |port: u16| pod.within(|| TcpListener::bind(("0.0.0.0", port)).unwrap());
        let (http, grpc, tcp) = (listen(HTTP), listen(GRPC), listen(TCP));
        let (upstream, grpc) = (Upstream::on(http), Upstream::on(grpc));
        thread::spawn(move || echo(&tcp));
        pod.start_proxy(&self.authority, extras);
        Workload { pod, upstream, _grpc: grpc }
    }

    /// A gateway; its proxy has the module and the token too.
    pub(crate) fn gateway(&self, identity: Identity) -> Pod {
        let mut pod = Pod::new(identity, Kind::Router, NAMES);
        pod.start_proxy(&self.authority, &self.extras());
        pod
    }

    /// What `envoy/istio/workload.yaml` gives a proxy: the module, and the token from a secret that was made by
    /// `--from-file`, which keeps the last newline.
    pub(crate) fn extras(&self) -> Extras {
        let image = self.folder.path().join("image");
        if !image.exists() {
            fs::create_dir(&image).unwrap();
            fs::copy(filter(), image.join("plugin.wasm")).unwrap();
        }
        let token = ("BREAKGLASS_PROXY_TOKEN".to_owned(), self.proxy_token.clone());
        Extras { image: Some(image), environment: vec![token] }
    }

    /// Those of an overlay's objects that are Istio's: not what Istio's Gateway controller reads of a Deployment.
    pub(crate) fn of_istio(objects: &[Value]) -> Vec<Value> {
        let is_istios =
            |object: &&Value| object["apiVersion"].as_str().unwrap().contains(".istio.io/");
        objects.iter().filter(is_istios).cloned().collect()
    }

    /// A folder of the mesh's own.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Runs the command line as a person, beside the service, as through `kubectl port-forward`.
    pub(crate) fn run(&self, person: &str, arguments: &[&str]) -> Ran {
        let mut command = self.approvals.command(binary().to_str().unwrap());
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("BREAKGLASS_URL", "http://127.0.0.1:8300");
        command.env("BREAKGLASS_API_TOKEN", self.api_token(person));
        Ran::from(command.output().unwrap())
    }

    /// [`ALICE`] asks and [`BOB`] approves: the grant and its token.
    pub(crate) fn grant(&self, scopes: &[&str]) -> (String, String) {
        let mut arguments = vec!["request", "--reason", "orders are stuck", "--incident", "INC-42"];
        arguments.extend(["--duration", "20m", "--again"]);
        arguments.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
        let request = self.run(ALICE, &arguments).done();
        let grant = self.run(BOB, &["approve", &request, "--yes"]).done();
        (grant, self.run(ALICE, &["token", &request]).done())
    }

    /// Checks the log of a pod by the command line, as its auditor.
    pub(crate) fn verify(&self, log: &Path) -> Ran {
        let log = log.to_str().unwrap();
        self.run(ERIN, &["audit", "verify", log, "--heads", "http://127.0.0.1:8300"])
    }

    /// The approval service's pod.
    pub(crate) fn approvals(&self) -> &Pod {
        &self.approvals
    }

    fn api_token(&self, person: &str) -> &str {
        &self.people.iter().find(|(name, _)| *name == person).expect("one of the people").1
    }
}

/// What listens at the workload's port for TCP: it sends back what comes, until the process ends.
fn echo(listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept() {
        thread::spawn(move || io::copy(&mut &stream, &mut &stream));
    }
}

/// What is in each pod's `/etc/hosts`, for want of DNS.
pub(crate) const NAMES: &[(Ipv4Addr, &str)] = &[(APPROVALS.ip, APPROVALS_HOST)];

/// The service's configuration as it is shipped, with the digests of tokens that were made, and an auditor, who is
/// nobody in the one that is shipped.
fn configuration(proxy_token: Option<&str>) -> (String, Vec<(&'static str, String)>, String) {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    // The one begins with fields of the whole, the other ends with tables.
    let listeners = read("envoy/kubernetes-mesh/listeners.toml");
    let (listeners, proxies) = listeners.split_once("[[proxies]]").unwrap();
    let people = read("envoy/kubernetes/config.toml");
    let mut config = format!("{listeners}{people}\n[[proxies]]{proxies}");
    let mut people = Vec::new();
    let token = |name: &str, known: &str, config: &mut String| {
        let made =
            std::process::Command::new(binary()).args(["keygen", "api-token", "--json"]).output();
        let made = Ran::from(made.unwrap()).json();
        let digest = made["token_sha256"].as_str().unwrap();
        assert!(config.contains(known), "{name} has a digest in what is shipped");
        *config = config.replace(known, digest);
        made["token"].as_str().unwrap().to_owned()
    };
    let example = "0d7bcf3def4bb1ca0b4a15a43ca7d58d30e0c2ad0ba2b5e6b4a7c8d3e1f0000";
    config = config.replacen("listen =", "auditors = [\"security\"]\nlisten =", 1);
    config.push_str(&format!(
        "[[people]]\nname = \"{ERIN}\"\ntoken_sha256 = \"{example}4\"\ngroups = [\"security\"]\n"
    ));
    for (person, number) in [(ALICE, 1), (BOB, 2), (ERIN, 4)] {
        people.push((person, token(person, &format!("{example}{number}"), &mut config)));
    }
    let proxy = match proxy_token {
        None => token("the proxy", &format!("{example}3"), &mut config),
        Some(known) => {
            let digest = digest(&SHA256, known.trim_end().as_bytes());
            let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            config = config.replace(&format!("{example}3"), &digest);
            known.trim_end().to_owned()
        }
    };
    // As a Secret has it that was made of a file.
    (config, people, format!("{proxy}\n"))
}

/// Mutual TLS and nothing else, for a namespace.
pub(crate) fn strict(namespace: &str) -> Value {
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": namespace},
        "spec": {"mtls": {"mode": "STRICT"}},
    })
}

/// A Gateway for every ingress gateway, and what goes through it to the workload, as users have them.
pub(crate) fn ingress() -> Vec<Value> {
    let destination = "payments.payments.svc.cluster.local";
    vec![
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "istio-ingress"},
            "spec": {"selector": {"istio": "ingressgateway"}, "servers": [
                {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]},
        }),
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "public", "namespace": "istio-ingress"},
            "spec": {"hosts": ["*"], "gateways": ["public"], "http": [{"route": [
                {"destination": {"host": destination, "port": {"number": HTTP}}}]}]},
        }),
    ]
}
