//! A cluster that is a folder of objects, which the stand-in for kubectl fills, and what a kubelet would make of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breakglass_tests::artefacts::{binary, envoy, filter, root};
use breakglass_tests::manifests::read;
use breakglass_tests::wait::until_within;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::control_plane::{key, made, mesh};
use super::kubectl;
use super::pod::{Extras, MODULE_AT, Pod};

/// How long the commands of a document may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The cluster of somebody who installs, with a checkout to change.
pub(crate) struct Cluster {
    folder: TempDir,
}

/// A container of Istio's proxy, as the injector leaves it.
pub(crate) struct InjectedProxy {
    pub(crate) container: Value,
    pub(crate) pod: Value,
}

impl Cluster {
    /// A cluster with these objects.
    pub(crate) fn with(objects: &[Value]) -> Cluster {
        let cluster = Cluster { folder: TempDir::new().unwrap() };
        for folder in ["objects", "pods", "tools", "checkout"] {
            fs::create_dir(cluster.path(folder)).unwrap();
        }
        let stand_in = root().join("tests/platforms/istio/driven/kubectl-stand-in");
        for (name, tool) in [
            ("kubectl", stand_in),
            ("breakglass", binary()),
            ("envoy", envoy()),
            ("pilot-agent", made("pilot-agent")),
        ] {
            symlink(tool, cluster.path("tools").join(name)).unwrap();
        }
        let mut copy = Command::new("cp");
        copy.args(["-r", "envoy", "docs"]).arg(cluster.checkout()).current_dir(root());
        assert!(copy.status().unwrap().success());
        fs::copy(filter(), cluster.checkout().join("breakglass.wasm")).unwrap();
        for (index, object) in objects.iter().enumerate() {
            let file = cluster.path("objects").join(format!("{index:04}-before.yaml"));
            fs::write(taken(&file), "").unwrap();
            fs::write(file, yaml(object)).unwrap();
        }
        cluster
    }

    /// Runs lines of a document in the checkout, as they stand there. Each command that changes the cluster waits
    /// until `react` has seen what it created or replaced.
    pub(crate) fn run(&self, lines: &str, mut react: impl FnMut(&[Value])) -> String {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", lines]).current_dir(self.checkout()).env_clear();
        shell.env("PATH", format!("{}:/usr/bin:/bin", self.path("tools").display()));
        shell.env("OBJECTS", self.path("objects")).env("PODS", self.path("pods"));
        shell.env("KUBECTL", which(&kubectl::program())).env("HOME", self.folder.path());
        let log = File::create(self.path("log")).unwrap();
        shell.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = shell.spawn().unwrap();
        let printed = || fs::read_to_string(self.path("log")).unwrap();
        let status = until_within(PATIENCE, "the commands of the document", || {
            for file in self.files().iter().filter(|file| !taken(file).exists()) {
                react(&read(&fs::read_to_string(file).unwrap()).unwrap());
                fs::write(taken(file), "").unwrap();
            }
            child.try_wait().unwrap()
        });
        assert!(status.success(), "{lines}\n{}", printed());
        printed()
    }

    /// The copy of the repository that its user works in.
    pub(crate) fn checkout(&self) -> PathBuf {
        self.path("checkout")
    }

    /// The object of this key, `KIND NAMESPACE/NAME`, as it is now.
    pub(crate) fn object(&self, wanted: &str) -> Value {
        let mut newest = BTreeMap::new();
        for file in self.files() {
            let objects = read(&fs::read_to_string(file).unwrap()).unwrap();
            newest.extend(objects.into_iter().map(|object| (key(&object), object)));
        }
        newest.remove(wanted).unwrap_or_else(|| panic!("there is no {wanted}"))
    }

    /// The proxy that Istio's injector puts into the pods of a Deployment.
    pub(crate) fn injected(&self, deployment: &str) -> InjectedProxy {
        let file = self.path("injecting");
        fs::write(&file, yaml(&self.object(deployment))).unwrap();
        let mut inject = Command::new(made("control-plane"));
        let output = inject.arg("inject").arg(&file).arg(mesh().to_string()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let injected = read(&String::from_utf8(output.stdout).unwrap()).unwrap().remove(0);
        let pod = injected["spec"]["template"].clone();
        let containers =
            [list(&pod["spec"]["containers"]), list(&pod["spec"]["initContainers"])].concat();
        let container = containers.into_iter().find(|container| container["name"] == "istio-proxy");
        InjectedProxy { container: container.expect("a proxy"), pod }
    }

    /// What a kubelet gives the proxy of a pod: values from Secrets, and a folder in place of its image volume.
    pub(crate) fn extras(&self, namespace: &str, proxy: &InjectedProxy, image: &Path) -> Extras {
        let value = |variable: &Value| {
            let from = &variable["valueFrom"]["secretKeyRef"];
            let object = self.object(&format!("Secret {namespace}/{}", from["name"].as_str()?));
            let value = secret(&object, from["key"].as_str().unwrap());
            Some((variable["name"].as_str().unwrap().to_owned(), value))
        };
        let environment = list(&proxy.container["env"]).iter().filter_map(value).collect();
        let volumes = list(&proxy.pod["spec"]["volumes"]);
        let mounts = list(&proxy.container["volumeMounts"]);
        let mounted = mounts.iter().find(|mount| {
            let named = |volume: &&Value| volume["name"] == mount["name"];
            volumes.iter().find(named).is_some_and(|volume| volume.get("image").is_some())
        });
        let image = mounted.map(|mount| {
            assert_eq!(mount["mountPath"], MODULE_AT);
            image.to_owned()
        });
        Extras { image, environment }
    }

    /// Names the pod that `kubectl exec deploy/NAME` reaches.
    pub(crate) fn runs(&self, deployment: &str, pod: &Pod) {
        fs::write(self.path("pods").join(deployment), pod.process().to_string()).unwrap();
    }

    /// The files with objects, in the order in which they were applied.
    fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path("objects")).unwrap().map(|file| file.unwrap().path());
        let is_yaml = |file: &PathBuf| file.extension().is_some_and(|kind| kind == "yaml");
        let mut files: Vec<_> = files.filter(is_yaml).collect();
        files.sort();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A value of a Secret.
pub(crate) fn secret(object: &Value, key: &str) -> String {
    let value = object["data"][key].as_str().expect("a value in the secret");
    String::from_utf8(STANDARD.decode(value).unwrap()).unwrap()
}

/// A Deployment of the guarded workload as it was before.
pub(crate) fn deployment_before() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "payments", "namespace": "payments"},
        "spec": {"selector": {"matchLabels": {"app": "payments"}}, "template": {
            "metadata": {"labels": {"app": "payments"},
                "annotations": {"proxy.istio.io/config": "concurrency: 2\n"}},
            "spec": {"serviceAccountName": "payments", "containers": [{"name": "app", "image": "payments:1"}]},
        }},
    })
}

/// What says that the test has seen a file.
fn taken(file: &Path) -> PathBuf {
    file.with_extension("taken")
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// JSON is YAML, but the stand-in for kubectl looks for lines.
fn yaml(object: &Value) -> String {
    serde_yaml_ng::to_string(object).unwrap()
}

/// A program's path, for an environment that has another `PATH`.
fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file()).unwrap_or_else(|| {
        panic!("{program} is missing: install it, or name it in BREAKGLASS_KUBECTL")
    })
}
