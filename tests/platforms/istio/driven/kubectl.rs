//! kubectl, as far as no cluster is needed.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use breakglass_tests::artefacts::root;
use breakglass_tests::manifests::read;
use serde_json::Value;

/// The real one.
pub(crate) fn program() -> String {
    env::var("BREAKGLASS_KUBECTL").unwrap_or("kubectl".to_owned())
}

/// What `kubectl apply -k` applies.
pub(crate) fn kustomize(folder: impl AsRef<Path>) -> Vec<Value> {
    let output = Command::new(program()).arg("kustomize").arg(root().join(folder)).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{}: {error}: install kubectl, or name it in BREAKGLASS_KUBECTL", program())
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

/// The same, for a kustomization of the user's own that puts a folder's objects into another namespace.
pub(crate) fn kustomize_into(scratch: &Path, folder: &str, namespace: &str) -> Vec<Value> {
    // Kustomize takes a base by a path that is relative, and has to be inside of none of its own.
    let up: String = scratch.components().skip(1).map(|_| "../").collect();
    let base = root().join(folder);
    let base = format!("{up}{}", base.strip_prefix("/").unwrap().display());
    let own = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: {namespace}\nresources: [{base}]\n"
    );
    fs::write(scratch.join("kustomization.yaml"), own).unwrap();
    kustomize(scratch)
}
