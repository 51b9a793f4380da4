//! What is applied at a time: a kustomization, or a file that is in none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use breakglass_tests::artefacts::root;
use breakglass_tests::manifests::{files, objects, read};
use serde_json::Value;

use crate::cluster::Cluster;

/// One of them, by its path from the root of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) path: PathBuf,
    pub(crate) objects: Vec<Value>,
}

/// Where a file says no namespace, as the documents do.
const NAMESPACE: &str = "payments";

/// Everything in `envoy/` that is for Kubernetes, whoever adds to it.
pub(crate) fn units(cluster: &Cluster) -> &'static [Unit] {
    // kubectl makes the same of them wherever it is.
    static UNITS: OnceLock<Vec<Unit>> = OnceLock::new();
    UNITS.get_or_init(|| read_units(cluster))
}

fn read_units(cluster: &Cluster) -> Vec<Unit> {
    let files = files("envoy");
    let (mut units, mut inside) = (Vec::new(), BTreeSet::new());
    for file in files.iter().filter(|file| file.ends_with("kustomization.yaml")) {
        let folder = file.parent().unwrap().to_owned();
        let kustomization = objects(file).remove(0);
        inside.insert(file.clone());
        for resource in kustomization["resources"].as_array().unwrap_or(&Vec::new()) {
            inside.insert(normal(&folder.join(resource.as_str().unwrap())));
        }
        // A component is no object by itself: those that take it show what it does.
        if kustomization["kind"] != "Component" {
            let made = cluster.kubectl(&["kustomize", folder.to_str().unwrap()]).done();
            units.push(Unit { path: folder, objects: read(&made).unwrap() });
        }
    }
    for file in files.into_iter().filter(|file| !inside.contains(file)) {
        let objects = objects(&file);
        // Envoy's own configurations, and what `kubectl patch` takes, have no kind.
        if objects.iter().any(|object| object["kind"].is_string()) {
            units.push(Unit { path: file, objects });
        }
    }
    units
}

/// `a/b/../c` as `a/c`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        if part.as_os_str() == ".." {
            normal.pop();
        } else {
            normal.push(part);
        }
    }
    normal
}

impl Unit {
    /// The options with which kubectl finds it.
    pub(crate) fn options(&self) -> Vec<String> {
        let path = self.path.to_str().unwrap().to_owned();
        let flag = if root().join(&self.path).is_dir() { "--kustomize" } else { "--filename" };
        let named = |object: &Value| object["metadata"]["namespace"].is_string();
        let mut options = vec![flag.to_owned(), path];
        if !self.objects.iter().any(named) {
            options.extend(["--namespace".to_owned(), NAMESPACE.to_owned()]);
        }
        options
    }

    /// The namespaces that it takes, and does not bring.
    pub(crate) fn namespaces(&self) -> BTreeSet<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let brought: BTreeSet<String> = self
            .objects
            .iter()
            .filter(|object| object["kind"] == "Namespace")
            .filter_map(|object| text(&object["metadata"]["name"]))
            .collect();
        let named = self.objects.iter().filter_map(|object| text(&object["metadata"]["namespace"]));
        let all: BTreeSet<String> = named.chain([NAMESPACE.to_owned()]).collect();
        all.difference(&brought).cloned().collect()
    }
}
