//! A pod of the mesh: its namespaces, its files, inbound capture, and pilot-agent with the pinned Envoy, which it
//! starts and gives certificates to (SDS).

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use breakglass_tests::artefacts;
use breakglass_tests::certificates::Authority;
use breakglass_tests::client::get;
use breakglass_tests::processes::Processes;
use breakglass_tests::wait::until_within;
use serde_json::json;
use tempfile::TempDir;

use super::control_plane::{self, made};
use super::identity::Identity;
use super::namespaces::{HERE, Sandbox, shell};

/// How long a proxy may take until it is ready, on a machine that does something else as well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where Istio's proxies say whether they are ready.
const READINESS: u16 = 15021;

/// Where the objects that are shipped expect the module.
pub(crate) const MODULE_AT: &str = "/etc/breakglass";

/// The name of the approval service in the mesh. There is no DNS here: it is in each pod's `/etc/hosts`.
pub(crate) const APPROVALS_HOST: &str = "approvals.breakglass.svc.cluster.local";

/// What a proxy is, in pilot-agent's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Beside an application, whose inbound connections it gets.
    Sidecar,
    /// A gateway.
    Router,
    /// Ambient's.
    Waypoint,
}

/// What a workload's patch gives its proxy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras {
    /// A folder that stands in for the image volume, at [`MODULE_AT`].
    pub(crate) image: Option<PathBuf>,
    /// More of an environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// A pod with a proxy. Dropping it kills what runs in it.
pub(crate) struct Pod {
    /// Dropped before the namespaces that they run in and the folder with their log.
    processes: Processes,
    pub(crate) identity: Identity,
    kind: Kind,
    sandbox: Sandbox,
    directory: TempDir,
}

impl Pod {
    /// Makes a pod: its network, its files, inbound capture for a sidecar. Nothing runs in it yet.
    pub(crate) fn new(identity: Identity, kind: Kind, names: &[(Ipv4Addr, &str)]) -> Pod {
        let directory = TempDir::new().unwrap();
        let pod = Pod {
            processes: Processes::new(identity.name, directory.path().join("log")),
            sandbox: Sandbox::new(identity.ip),
            identity,
            kind,
            directory,
        };
        let hosts = |(ip, name): &(Ipv4Addr, &str)| format!("{ip} {name}\n");
        let hosts: String = names.iter().map(hosts).collect();
        fs::write(pod.path("hosts"), format!("127.0.0.1 localhost\n{hosts}")).unwrap();
        // An /etc that can be written to, without a right to write to the machine's.
        let script = "
            mkdir machine-etc
            mount --rbind /etc machine-etc
            mount -t tmpfs tmpfs /etc
            ln -s \"$PWD\"/machine-etc/* /etc/
            rm -f /etc/hosts /etc/resolv.conf /etc/breakglass
            cp hosts /etc/hosts
            echo nameserver 127.0.0.1 >/etc/resolv.conf
            mkdir /etc/breakglass
            mount -t tmpfs tmpfs /var/lib
            mkdir -p /var/lib/istio/data etc/istio/proxy etc/istio/pod var/run/secrets/workload-spiffe-credentials
            : >etc/istio/pod/annotations";
        shell(pod.command("sh"), script);
        if kind == Kind::Sidecar {
            pod.capture();
        }
        pod
    }

    /// What Istio's init container does, for what comes in: the same program with the same arguments.
    fn capture(&self) {
        let mut capture = self.command(made("pilot-agent").to_str().unwrap());
        capture.args(["istio-iptables", "--native-nftables", "-p", "15001", "-z", "15006"]);
        capture.args(["-u", "1337", "-m", "REDIRECT", "-b", "*", "-d", "15090,15021,15020"]);
        // What goes out is not captured: the application is the test.
        capture.args(["-i", ""]);
        let debian = artefacts::root().join(".cache/platforms/istio-debian/usr");
        let path = std::env::var("PATH").unwrap_or_default();
        capture.env("PATH", format!("{path}:{}", debian.join("sbin").display()));
        capture.env(
            "LD_LIBRARY_PATH",
            debian.join(format!("lib/{}-linux-gnu", std::env::consts::ARCH)),
        );
        let output = capture.output().unwrap();
        assert!(
            output.status.success(),
            "inbound capture takes nftables (apt-get install nftables): {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Starts pilot-agent, which starts Envoy.
    pub(crate) fn start_proxy(&mut self, authority: &Authority, extras: &Extras) {
        let identity = self.identity.clone();
        self.certify(authority, &identity.spiffe());
        let labels = identity.labels();
        let line = |(name, value): &(&str, &str)| format!("{name}=\"{value}\"\n");
        let lines: String = identity.labels.iter().map(line).collect();
        fs::write(self.path("etc/istio/pod/labels"), lines).unwrap();
        if let Some(image) = &extras.image {
            let script = format!("mount --bind {} {MODULE_AT}", image.display());
            shell(self.command("sh"), &script);
        }
        fs::write(self.path("bootstrap.json"), bootstrap()).unwrap();
        let proxy_config = json!({
            "binaryPath": artefacts::envoy(),
            "configPath": self.path("etc/istio/proxy"),
            "proxyBootstrapTemplatePath": self.path("bootstrap.json"),
            "discoveryAddress": format!("{HERE}:{}", control_plane::PORT),
            "controlPlaneAuthPolicy": "NONE",
            "statusPort": 15020,
            "concurrency": 2,
        });
        let kind = match self.kind {
            Kind::Sidecar => "sidecar",
            Kind::Router => "router",
            Kind::Waypoint => "waypoint",
        };
        let mut agent = self.command(made("pilot-agent").to_str().unwrap());
        agent.args([
            "proxy",
            kind,
            "--proxyLogLevel=warning",
            "--proxyComponentLogLevel=wasm:info",
        ]);
        agent.args(["--domain", &format!("{}.svc.cluster.local", identity.namespace)]);
        agent
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("PROXY_CONFIG", proxy_config.to_string());
        for (name, value) in [
            ("POD_NAME", identity.name),
            ("POD_NAMESPACE", identity.namespace),
            ("INSTANCE_IP", &identity.ip.to_string()),
            ("SERVICE_ACCOUNT", identity.account),
            ("TRUST_DOMAIN", "cluster.local"),
            ("ISTIO_META_CLUSTER_ID", "Kubernetes"),
            ("ISTIO_META_MESH_ID", "cluster.local"),
            ("ISTIO_META_ISTIO_VERSION", "1.32.0"),
            ("ISTIO_METAJSON_LABELS", &labels.to_string()),
            ("ISTIO_META_DNS_CAPTURE", "false"),
            // Certificates are files here, which it hands to Envoy: no authority of Istio's is asked.
            ("PILOT_CERT_PROVIDER", "custom"),
            ("JWT_POLICY", "none"),
        ] {
            agent.env(name, value);
        }
        agent.envs(extras.environment.iter().cloned());
        self.spawn(agent);
    }

    /// Gives the pod a certificate; pilot-agent notices a new one and hands it on.
    pub(crate) fn certify(&self, authority: &Authority, spiffe: &str) {
        let (certificate, key) = authority.workload(spiffe).pem();
        let folder = self.path("var/run/secrets/workload-spiffe-credentials");
        for (name, content) in [
            ("root-cert.pem", &authority.pem()),
            ("key.pem", &key),
            ("cert-chain.pem", &certificate),
        ] {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    /// Runs a program in the pod, in its folder, its output in its log, until the pod is dropped.
    pub(crate) fn spawn(&mut self, mut command: Command) {
        self.processes.spawn(&mut command).unwrap();
    }

    /// The process whose namespaces are the pod's.
    pub(crate) fn process(&self) -> u32 {
        self.sandbox.process.id()
    }

    /// A command that will run in the pod, in its folder.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.sandbox.command(self.directory.path(), program)
    }

    /// Does something in its network.
    pub(crate) fn within<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        self.sandbox.within(action)
    }

    /// Waits until the proxy says that it is ready.
    pub(crate) fn until_ready(&self) {
        let ready = || self.is_ready().then_some(());
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until_within(PATIENCE, &format!("the proxy of {}", self.identity.name), ready);
        }))
        .is_err()
        {
            let log = self.log();
            // It says so for each time that it was asked.
            let said: Vec<_> = log.lines().filter(|line| !line.contains("NOT ready")).collect();
            panic!("{} is not ready:\n{}", self.identity.name, said.join("\n"));
        }
    }

    /// Whether it is ready now, by the probe that the injector puts into a pod.
    pub(crate) fn is_ready(&self) -> bool {
        let answer = get("/healthz/ready").host("localhost").try_send(self.address(READINESS));
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// One of its ports.
    pub(crate) fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::from((self.identity.ip, port))
    }

    /// Waits until Envoy has taken what the control plane sent last: `expected` holds.
    pub(crate) fn until(&self, what: &str, expected: impl Fn(&Pod) -> bool) {
        let what = format!("{what} in {}", self.identity.name);
        until_within(PATIENCE, &what, || expected(self).then_some(()));
    }

    /// What the containers of the pod printed, which is what `kubectl logs` prints.
    pub(crate) fn log(&self) -> String {
        self.processes.log()
    }

    /// The same, as a file.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.path("log")
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Istio's template of a bootstrap, without the extension that only Istio's own Envoy has and every waypoint gets.
fn bootstrap() -> String {
    let template = fs::read_to_string(made("envoy_bootstrap.json")).unwrap();
    let (before, rest) = template.split_once("{{- if .metadata_discovery }}").unwrap();
    let (extension, after) = rest.split_once("{{- end }}").unwrap();
    assert!(extension.contains("istio.workload.BootstrapExtension"), "{extension}");
    format!("{before}{after}")
}
