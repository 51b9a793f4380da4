//! The definitions (CRDs) of what the objects are of.

use std::fs;
use std::time::Duration;

use breakglass_tests::artefacts::root;
use breakglass_tests::wait::until_within;

use crate::cluster::{Cluster, cached};

/// How long the API server may take to serve new definitions.
const PATIENCE: Duration = Duration::from_secs(120);

/// The versions of Istio whose definitions are there, the oldest first, as `tests/platforms/kubernetes/crds/go.mod`
/// names them.
pub(crate) fn istio_versions() -> Vec<String> {
    let text = fs::read_to_string(root().join("tests/platforms/kubernetes/crds/go.mod")).unwrap();
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("breakglass.test/istio-"));
    let names = names.filter(|name| !name.contains("=>"));
    names.map(|name| name.strip_suffix(" v1.0.0").unwrap().to_owned()).collect()
}

/// Gives a module's definitions to the API server, in place of those of another version, and waits until it serves
/// them.
pub(crate) fn define(cluster: &Cluster, module: &str) {
    define_each(cluster, &[module]);
}

fn define_each(cluster: &Cluster, modules: &[&str]) {
    let file = |module: &&str| cached("kubernetes-crds", &format!("{module}.yaml"));
    let files: Vec<String> =
        modules.iter().map(|module| format!("--filename={}", file(module).display())).collect();
    // Server-side, because some are too long for the annotation of the other way.
    let apply = ["apply", "--server-side", "--force-conflicts"];
    let ran = cluster
        .kubectl(&apply.into_iter().chain(files.iter().map(String::as_str)).collect::<Vec<&str>>());
    // What the definitions of other people are warned of is theirs.
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    // It fails where one has no status at all yet.
    until_within(PATIENCE, &modules.join(" and "), || {
        (cluster.kubectl(&established).code == 0).then_some(())
    });
}

/// The newest of everything.
pub(crate) fn define_all(cluster: &Cluster) {
    let istio = format!("istio-{}", istio_versions().pop().unwrap());
    define_each(cluster, &["gateway-api", "envoy-gateway", "prometheus-operator", &istio]);
}
