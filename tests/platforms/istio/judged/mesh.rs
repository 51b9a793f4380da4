//! The mesh of a scenario: its services and pods, the objects of `envoy/istio` as kubectl makes them, and
//! what Istio's discovery server generates for its proxies.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use breakglass_tests::artefacts::root;
use breakglass_tests::manifests::{objects, read};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::chains::{Chain, entrances, list};

/// What the discovery server is given.
#[derive(Clone)]
pub(crate) struct Scenario {
    /// Objects of Istio: in the order in which they were applied.
    pub(crate) istio: Vec<Value>,
    /// Objects of Kubernetes and of the Gateway API.
    pub(crate) kubernetes: Vec<Value>,
    /// The proxies that connect.
    pub(crate) proxies: Vec<Value>,
    /// Its configuration, over the defaults.
    pub(crate) mesh: Value,
    /// What istiod is switched on for, by its environment.
    pub(crate) features: Vec<&'static str>,
}

/// What it generates.
pub(crate) struct Generated {
    proxies: Value,
    warnings: Value,
    ztunnel: Value,
    sidecars: Vec<String>,
}

impl Scenario {
    /// The workload `payments`, the approval service and an authorization provider, each with a sidecar
    /// and a Service, and these objects of Istio.
    pub(crate) fn with(istio: Vec<Value>) -> Scenario {
        let ports = json!([
            {"name": "http", "port": 8080, "targetPort": 8080},
            {"name": "api", "port": 9090, "targetPort": 9090, "appProtocol": "grpc"},
            {"name": "http2", "port": 8090, "targetPort": 8090},
            {"name": "sniffed", "port": 7070, "targetPort": 7070},
            {"name": "tcp-raw", "port": 7000, "targetPort": 7000},
            {"name": "tcp-other", "port": 7001, "targetPort": 7001},
        ]);
        let http = |port: u16| json!([{"name": "http", "port": port, "targetPort": port}]);
        let approvals = labels("app", "approvals");
        let authz = labels("app", "authz");
        let kubernetes = [
            workload("payments", "payments", "10.1.0.10", &labels("app", "payments"), &ports),
            workload("breakglass", "approvals", "10.1.0.11", &approvals, &http(8300)),
            workload("payments", "authz", "10.1.0.12", &authz, &http(9000)),
        ];
        let payments =
            proxy("sidecar", "payments", "payments", "10.1.0.10", &labels("app", "payments"));
        let mesh = json!({
            "accessLogFile": "/dev/stdout",
            "extensionProviders": [{"name": "ext-authz", "envoyExtAuthzHttp":
                {"service": "authz.payments.svc.cluster.local", "port": 9000}}],
        });
        let kubernetes = kubernetes.concat();
        Scenario { istio, kubernetes, proxies: vec![payments], mesh, features: Vec::new() }
    }

    /// A gateway's pods, with a Service, of these labels.
    pub(crate) fn gateway(
        mut self,
        namespace: &str,
        name: &str,
        ip: &str,
        labels: &Value,
    ) -> Scenario {
        let ports = [("http2", 80), ("https", 8443), ("tls", 8444), ("tcp", 7000), ("grpc", 9091)];
        let ports =
            ports.map(|(name, port)| json!({"name": name, "port": port, "targetPort": port}));
        self.kubernetes.extend(workload(namespace, name, ip, labels, &json!(ports)));
        self.proxies.push(proxy("router", namespace, name, ip, labels));
        self
    }

    /// Node metadata of every proxy.
    pub(crate) fn metadata(mut self, metadata: &Value) -> Scenario {
        for proxy in &mut self.proxies {
            proxy["metadata"] = metadata.clone();
        }
        self
    }

    /// What the discovery server makes of it.
    pub(crate) fn generate(&self) -> Generated {
        self.try_generate().unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// The same, or why it is refused.
    pub(crate) fn try_generate(&self) -> Result<Generated, String> {
        let work = TempDir::new().unwrap();
        let file = work.path().join("scenario.json");
        let out = work.path().join("out");
        fs::create_dir(&out).unwrap();
        let scenario = json!({"mesh": self.mesh, "istio": self.istio, "kubernetes": self.kubernetes,
            "proxies": self.proxies});
        fs::write(&file, scenario.to_string()).unwrap();
        let output = control_plane()
            .arg("generate")
            .args([&out, &file])
            .envs(self.features.iter().map(|feature| (feature, "true")))
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = fs::read(out.join("scenario.json")).unwrap();
        let mut generated: Value = serde_json::from_slice(&text).unwrap();
        let sidecars = self.proxies.iter().filter(|proxy| proxy["type"] == "sidecar");
        let sidecars = sidecars.map(|proxy| proxy["name"].as_str().unwrap().to_owned()).collect();
        Ok(Generated {
            proxies: generated["proxies"].take(),
            warnings: generated["warnings"].take(),
            ztunnel: generated["ztunnel"].take(),
            sidecars,
        })
    }
}

impl Generated {
    /// The chains by which requests come in to a proxy.
    pub(crate) fn entrances(&self, proxy: &str) -> Vec<Chain> {
        let configuration = &self.proxies[proxy];
        assert!(configuration.is_object(), "no proxy {proxy}");
        let chains = entrances(configuration, self.sidecars.iter().any(|name| name == proxy));
        assert!(chains.iter().any(|chain| chain.manager.is_some()), "{proxy} has no HTTP chain");
        for chain in &chains {
            println!("{proxy}: {}: {:?}", chain.name, chain.http_filters());
        }
        chains
    }

    /// What Istio's webhook says about objects that it accepts, by kind and name.
    pub(crate) fn warnings(&self) -> Map<String, Value> {
        self.warnings.as_object().unwrap().clone()
    }

    /// The policies that ztunnel enforces.
    pub(crate) fn ztunnel(&self) -> &[Value] {
        list(&self.ztunnel)
    }

    /// The filters that a proxy gets by themselves.
    pub(crate) fn extensions(&self, proxy: &str) -> Vec<Value> {
        self.proxies[proxy]["extensions"].as_array().unwrap().clone()
    }

    /// A cluster of a proxy.
    pub(crate) fn cluster(&self, proxy: &str, name: &str) -> Option<&Value> {
        let clusters = self.proxies[proxy]["clusters"].as_array().unwrap();
        clusters.iter().find(|cluster| cluster["name"] == name)
    }
}

/// The program of `tests/platforms/istio/control-plane`.
pub(crate) fn control_plane() -> Command {
    let program = root().join(".cache/platforms/istio/control-plane");
    assert!(program.is_file(), "{} is missing: run scripts/platforms istio", program.display());
    Command::new(program)
}

/// What `kubectl apply -k` would apply of a folder in `envoy/istio`.
pub(crate) fn overlay(name: &str) -> Vec<Value> {
    kustomized(&root().join("envoy/istio").join(name))
}

/// The same of any folder.
pub(crate) fn kustomized(folder: &Path) -> Vec<Value> {
    let kubectl = env::var_os("BREAKGLASS_KUBECTL").map_or("kubectl".into(), PathBuf::from);
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

/// A copy of folders of `envoy/istio`, to change something in.
pub(crate) fn copy_of(folders: &[&str]) -> TempDir {
    let copy = TempDir::new().unwrap();
    for folder in folders {
        fs::create_dir(copy.path().join(folder)).unwrap();
        for file in fs::read_dir(root().join("envoy/istio").join(folder)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.path().join(folder).join(file.file_name())).unwrap();
        }
    }
    copy
}

/// The objects of an overlay that istiod reads: without the ConfigMap, which it reads as Kubernetes'.
pub(crate) fn istio_objects(name: &str) -> Vec<Value> {
    let mut objects = overlay(name);
    objects.retain(|object| object["kind"] != "ConfigMap");
    objects
}

/// The objects of a file in `envoy/istio` that is applied by itself.
pub(crate) fn file(name: &str) -> Vec<Value> {
    objects(Path::new("envoy/istio").join(name))
}

pub(crate) fn labels(name: &str, value: &str) -> Value {
    json!({name: value})
}

/// A proxy that connects to the discovery server.
pub(crate) fn proxy(kind: &str, namespace: &str, name: &str, ip: &str, labels: &Value) -> Value {
    json!({"name": name, "type": kind, "ip": ip, "namespace": namespace, "labels": labels,
        "serviceAccount": name})
}

/// A Service, a pod, and the slice that makes the pod its endpoint.
pub(crate) fn workload(
    namespace: &str,
    name: &str,
    ip: &str,
    labels: &Value,
    ports: &Value,
) -> Vec<Value> {
    let last = ip.rsplit_once('.').unwrap().1;
    let third = ip.split('.').nth(2).unwrap();
    let endpoints: Vec<Value> = ports
        .as_array()
        .unwrap()
        .iter()
        .map(|port| json!({"name": port["name"], "port": port["targetPort"], "protocol": "TCP"}))
        .collect();
    vec![
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterIP": format!("10.96.{third}.{last}"), "selector": labels, "ports": ports}}),
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"serviceAccountName": name, "containers": [{"name": "app", "image": "any"}]},
            "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                "conditions": [{"type": "Ready", "status": "True"}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": format!("{name}-1"), "namespace": namespace,
                "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": endpoints,
            "endpoints": [{"addresses": [ip], "conditions": {"ready": true},
                "targetRef": {"kind": "Pod", "name": name, "namespace": namespace}}]}),
    ]
}
