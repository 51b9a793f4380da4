//! `envoy/istio/check.sh`, before an overlay is applied: what it takes and what it refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use breakglass_tests::artefacts::{envoy, filter, root};

use super::mesh::copy_of;

fn checked(overlay: &Path, module: &Path) -> Output {
    let script = root().join("envoy/istio/check.sh");
    Command::new(script).arg(overlay).arg(module).env("ENVOY", envoy()).output().unwrap()
}

#[test]
fn every_overlay_is_taken_and_every_wrong_field_is_named() {
    for overlay in ["sidecar", "gateway", "waypoint"] {
        let output = checked(&root().join("envoy/istio").join(overlay), &filter());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("3 scopes"), "{overlay}: {output:?}");
    }
    let copy = copy_of(&["base", "sidecar"]);
    let file = copy.path().join("base/envoyfilter.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("clock_skew: 5s", "clock_skwe: 5s")).unwrap();
    let output = checked(&copy.path().join("sidecar"), &filter());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("clock_skwe"), "{said}");
}

#[test]
fn what_has_no_filter_or_no_module_is_refused() {
    let sidecar = root().join("envoy/istio/sidecar");
    let output = checked(&sidecar, Path::new("no/such.wasm"));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let output = checked(&root().join("envoy/istio/alternatives"), &filter());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("no EnvoyFilter"), "{said}");
}
